/**
 * `gteway/chroma` with Chroma's own client, which speaks to a server of its protocol in a few lines: the real one is a
 * library that needs a newer libc than tests run on.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ChromaClient, knownEmbeddingFunctions, registerEmbeddingFunction } from 'chromadb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embeddingFunctionName, GtewayEmbeddingFunction } from '../../lib/adapters/chroma.js';
import { cosineSimilarity, Session } from '../../lib/index.js';

const texts = [
  'A small dog runs after the ball in the park.',
  'Knead the dough until it is smooth, then let it rise.',
  'The bank raised its interest rate by a quarter of a point.',
  'Two moons circle the planet Mars.',
];

interface Stored {
  readonly name: string;
  readonly configuration: object;
  readonly ids: string[];
  readonly documents: string[];
  readonly embeddings: number[][];
}

type Body = Partial<Stored> & { readonly query_embeddings?: number[][]; readonly n_results?: number };

/** Collections by their names, which are their ids, too. */
class ChromaServer {
  readonly collections = new Map<string, Stored>();
  readonly #server: Server = createServer((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => (text += bytes.toString()));
    request.on('end', () => {
      const answer = this.#answer(request.url ?? '', (text === '' ? {} : JSON.parse(text)) as Body);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(path: string, body: Body): unknown {
    if (path.endsWith('/auth/identity')) return { tenant: 'tenant', databases: ['database'], user_id: '' };
    if (path.endsWith('/pre-flight-checks')) return { max_batch_size: 1000, supports_base64_encoding: false };
    const [id = '', verb] = path.split('/collections').at(-1)?.split('/').slice(1) ?? [];
    const name = body.name ?? id;
    const there = this.collections.get(name);
    if (verb === undefined) {
      const { configuration = {} } = body;
      const found = there ?? { name, configuration, ids: [], documents: [], embeddings: [] };
      this.collections.set(name, found);
      const place = { tenant: 'tenant', database: 'database', log_position: 0, version: 0 };
      return { id: name, name, configuration_json: found.configuration, ...place };
    }
    if (there === undefined) throw new Error(`no collection ${name}`);
    if (verb === 'add') {
      there.ids.push(...(body.ids ?? []));
      there.documents.push(...(body.documents ?? []));
      there.embeddings.push(...(body.embeddings ?? []));
      return {};
    }
    const found = (body.query_embeddings ?? []).map((query) =>
      there.embeddings
        .map((row, i) => ({ i, distance: 1 - cosineSimilarity(query, row) }))
        .sort((a, b) => a.distance - b.distance)
        .slice(0, body.n_results),
    );
    return {
      ids: found.map((hits) => hits.map(({ i }) => there.ids[i])),
      documents: found.map((hits) => hits.map(({ i }) => there.documents[i])),
      distances: found.map((hits) => hits.map(({ distance }) => distance)),
      include: ['documents', 'distances'],
    };
  }
}

let session: Session<'gteway-mini'>;
let client: ChromaClient;
const server = new ChromaServer();
beforeAll(async () => {
  session = await Session.load('gteway-mini', { threads: 2 });
  client = new ChromaClient({ host: '127.0.0.1', port: await server.listen() });
});
afterAll(async () => {
  server.close();
  await session.close();
});

describe('GtewayEmbeddingFunction', () => {
  test('a collection finds what is asked for, by cosine', async () => {
    const embeddingFunction = new GtewayEmbeddingFunction(session);
    const collection = await client.getOrCreateCollection({ name: 'texts', embeddingFunction });
    await collection.add({ ids: ['d0', 'd1', 'd2', 'd3'], documents: texts });
    const expected = await session.embed(texts);
    const stored = server.collections.get('texts');
    expect(stored?.embeddings).toEqual(Array.from(expected, (row) => Array.from(row)));
    expect(stored?.configuration).toMatchObject({ hnsw: { space: 'cosine' } });
    const { ids } = await collection.query({ queryTexts: ['a young dog', 'a planet and its moons'], nResults: 1 });
    expect(ids).toEqual([['d0'], ['d3']]);
  });

  test('a registered one is made again from what the collection keeps, and embeds alike', async () => {
    const options = { embed: { dimensions: 64 }, prompts: { query: { text: 'query: ' } } };
    const first = new GtewayEmbeddingFunction(session, options);
    await client.getOrCreateCollection({ name: 'kept', embeddingFunction: first });
    expect(server.collections.get('kept')?.configuration).toMatchObject({
      embedding_function: { type: 'known', name: 'gteway', config: { model: 'gteway-mini', ...options } },
    });
    registerEmbeddingFunction(embeddingFunctionName, GtewayEmbeddingFunction);
    try {
      const { configuration } = server.collections.get('kept') ?? {};
      const { config } = (configuration as { embedding_function: { config: Record<string, unknown> } })
        .embedding_function;
      await using again = GtewayEmbeddingFunction.buildFromConfig(config);
      expect(again.getConfig()).toEqual(first.getConfig());
      expect(await again.generateForQueries(['egg'])).toEqual(await first.generateForQueries(['egg']));
      const rows = await session.embed(['query: egg', 'egg'], { dimensions: 64 });
      expect(await again.generateForQueries(['egg'])).toEqual([Array.from(rows.at(0))]);
      expect(await again.generate(['egg'])).toEqual([Array.from(rows.at(1))]);
      const { embeddingFunction } = await client.getCollection({ name: 'kept' });
      expect(embeddingFunction).toBeInstanceOf(GtewayEmbeddingFunction);
      await (embeddingFunction as GtewayEmbeddingFunction).close();
    } finally {
      knownEmbeddingFunctions.delete(embeddingFunctionName);
    }
  });

  test('closes what it opened, and fails at once where it fails', async () => {
    const own = new GtewayEmbeddingFunction('gteway-mini', { open: { threads: 1 }, embed: { truncate: false } });
    await expect(own.generate(['word '.repeat(700)])).rejects.toMatchObject({ code: 'ERR_TEXT_TOO_LONG' });
    await own.close();
    await expect(own.generate(texts)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await new GtewayEmbeddingFunction(session).close();
    expect((await session.embed('x')).rows).toBe(1);
  });

  test('refuses malformed options and configurations, and another model for vectors that are there', () => {
    expect(() => new GtewayEmbeddingFunction(session, { promts: {} } as object)).toThrow(/unknown option/);
    expect(() => new GtewayEmbeddingFunction('mistral')).toThrow(/is a language model/);
    expect(() => GtewayEmbeddingFunction.buildFromConfig({})).toThrow(/model must be a name/);
    expect(() => GtewayEmbeddingFunction.buildFromConfig({ model: 'gteway-mini', open: {} })).toThrow(/unknown option/);
    const own = new GtewayEmbeddingFunction(session);
    own.validateConfig(own.getConfig());
    own.validateConfigUpdate({ model: 'gteway-mini' });
    expect(() => own.validateConfigUpdate({ model: 'gte-small' })).toThrow(/cannot go on with gte-small/);
  });
});
