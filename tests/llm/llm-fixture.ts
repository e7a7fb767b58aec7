/** Clients and the scripted servers they talk to, all closed, and all sockets with them, when the test is over. */
import { afterEach } from 'vitest';
import { LlmClient } from '../../lib/llm/client.js';
import type { LlmSessionOptions } from '../../lib/llm/options.js';
import { ScriptedServer, type Bytes, type Script } from './scripted-server.js';

export interface LlmFixture {
  /** A client of a new server that answers with `script`. */
  readonly speaking: (script: Script, options?: LlmSessionOptions) => Promise<LlmClient>;
  /** A client of a new server that answers with these pieces and ends well. */
  readonly sending: (...pieces: Bytes[]) => Promise<LlmClient>;
  /** The server made last. */
  readonly server: ScriptedServer;
}

/** To be called once per test file. @param type the content type of what `sending` sends */
export function llmFixture(model: string, type: string): LlmFixture {
  const servers: ScriptedServer[] = [];
  const clients: LlmClient[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const server of servers.splice(0)) {
      await server.untilNoSockets();
      await server.close();
    }
  });
  const fixture: LlmFixture = {
    async speaking(script, options = {}) {
      const server = await ScriptedServer.start(script);
      servers.push(server);
      const client = new LlmClient(model, { host: server.url, ...options });
      clients.push(client);
      return client;
    },
    sending: (...pieces) =>
      fixture.speaking(async (turn) => {
        await turn.pieces(type, pieces);
        await turn.end();
      }),
    get server() {
      const last = servers.at(-1);
      if (last === undefined) throw new Error('no server has been made yet');
      return last;
    },
  };
  return fixture;
}
