/**
 * The HTTP client of each runtime, without the limits that kill long generations.
 *
 * Node's own fetch gives up after 300 s without response headers, which a model that is still loading or an answer
 * that comes whole easily needs; only a dispatcher can lift that, and Node does not expose its own, hence undici.
 * Deno's fetch has no such limit, and Bun's is switched off per request.
 */
import type { Agent } from 'undici';

/** A lease on the process's connections to language-model servers. */
export interface Transport {
  readonly fetch: typeof fetch;
  /** Gives the lease back. The last one closes the connections that are idle in the pool. */
  release(): Promise<void>;
}

/** Options that let a request take as long as it takes; the sessions have their own timeout. */
export const patientAgentOptions = { headersTimeout: 0, bodyTimeout: 0 } as const;

// One pool for the process: Edge Function code makes a session per request, and a pool of its own would cost each of
// them a new connection.
let pool: Promise<{ agent: Agent; fetch: typeof fetch }> | undefined;
let leases = 0;

export async function openTransport(): Promise<Transport> {
  // Not by globalThis.Deno: code that comes from Edge Functions brings a stand-in for it to Node.
  const versions: Partial<Record<string, string>> = typeof process === 'undefined' ? {} : process.versions;
  if (versions.bun !== undefined) {
    const patient = { timeout: false } as RequestInit;
    return { fetch: (input, init) => fetch(input, { ...init, ...patient }), release: () => Promise.resolve() };
  }
  if (versions.node === undefined || versions.deno !== undefined) {
    return { fetch: globalThis.fetch, release: () => Promise.resolve() };
  }
  leases++;
  pool ??= openPool();
  let released = false;
  try {
    const { fetch } = await pool;
    return {
      fetch,
      release: async () => {
        if (released) return;
        released = true;
        await giveBack();
      },
    };
  } catch (error) {
    await giveBack();
    throw error;
  }
}

async function openPool(): Promise<{ agent: Agent; fetch: typeof fetch }> {
  const undici = await import('undici');
  const agent = new undici.Agent(patientAgentOptions);
  // undici's fetch is the one inside Node, but TypeScript knows two families of the same types.
  const send = undici.fetch as unknown as (input: unknown, init: object) => Promise<Response>;
  return { agent, fetch: (input, init) => send(input, { ...init, dispatcher: agent }) };
}

async function giveBack(): Promise<void> {
  if (--leases > 0) return;
  const last = pool;
  pool = undefined;
  const opened = await last?.catch(() => undefined);
  await opened?.agent.destroy();
}
