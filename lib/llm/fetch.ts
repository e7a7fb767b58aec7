/**
 * The HTTP client of each runtime, without the limits that kill long generations.
 *
 * Node's own fetch gives up after 300 s without response headers, which a model that is still loading or an answer
 * that comes whole easily needs; only a dispatcher can lift that, and Node does not expose its own, hence undici.
 * Deno's fetch has no such limit, and Bun's is switched off per request.
 */
import type { Agent } from 'undici';

/** A connection to a language-model server, for one exchange at a time. */
export interface Connection {
  readonly fetch: typeof fetch;
  /** The exchange is over. `healthy`: its answer was read to the end, so that the next exchange can use what is open. */
  release(healthy: boolean): void;
}

/** Idle connections that are kept. Each closes by itself after undici's four seconds without a request. */
const mostIdle = 64;

// One store for the process: Edge Function code makes a session per request, and connections of its own would cost each
// of them a handshake.
let idle: Agent[] = [];

export async function openConnection(): Promise<Connection> {
  // Not by globalThis.Deno: code that comes from Edge Functions brings a stand-in for it to Node.
  const versions: Partial<Record<string, string>> = typeof process === 'undefined' ? {} : process.versions;
  if (versions.bun !== undefined) {
    const patient = { timeout: false } as RequestInit;
    return { fetch: (input, init) => fetch(input, { ...init, ...patient }), release: () => undefined };
  }
  if (versions.node === undefined || versions.deno !== undefined) {
    return { fetch: globalThis.fetch, release: () => undefined };
  }
  const undici = await import('undici');
  const agent = idle.pop() ?? new undici.Agent({ headersTimeout: 0, bodyTimeout: 0 });
  // undici's fetch is the one inside Node, but TypeScript knows two families of the same types.
  const send = undici.fetch as unknown as (input: unknown, init: object) => Promise<Response>;
  return {
    fetch: (input, init) => send(input, { ...init, dispatcher: agent }),
    release: (healthy) => {
      if (healthy && idle.length < mostIdle) idle.push(agent);
      // An exchange has its agent to itself for this: after an aborted request undici opens a new connection that nobody
      // asked for, and only the end of the agent prevents it.
      else void agent.destroy();
    },
  };
}

/** Closes the connections that wait for another exchange. */
export async function closeIdleConnections(): Promise<void> {
  const agents = idle;
  idle = [];
  await Promise.all(agents.map((agent) => agent.destroy()));
}
