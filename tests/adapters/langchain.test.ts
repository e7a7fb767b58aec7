/** `gteway/langchain` with the classes of @langchain/core: a vector store, a retriever, a chain with a compressor. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Document } from '@langchain/core/documents';
import { Embeddings } from '@langchain/core/embeddings';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import { RunnableLambda } from '@langchain/core/runnables';
import { FakeVectorStore } from '@langchain/core/utils/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { GtewayEmbeddings, GtewayRerank } from '../../lib/adapters/langchain.js';
import { fixtureModel } from '../../lib/models/fixture/fixture-model.js';
import { Reranker, Session } from '../../lib/index.js';
import { buildLibrary, root } from '../built-library.js';

const texts = [
  'A small dog runs after the ball in the park.',
  'Knead the dough until it is smooth, then let it rise.',
  'The bank raised its interest rate by a quarter of a point.',
  'Two moons circle the planet Mars.',
];
const documents = texts.map((pageContent, i) => new Document({ pageContent, metadata: { place: i }, id: `d${i}` }));

let session: Session<'gteway-mini'>;
beforeAll(async () => {
  session = await Session.load('gteway-mini', { threads: 2 });
});
afterAll(() => session.close());

describe('GtewayEmbeddings', () => {
  test('is LangChain’s, and gives the session’s vectors', async () => {
    const embeddings = new GtewayEmbeddings(session, { embed: { dimensions: 64 } });
    expect(embeddings).toBeInstanceOf(Embeddings);
    const expected = await session.embed(texts, { dimensions: 64 });
    expect(await embeddings.embedDocuments(texts)).toEqual(Array.from(expected, (row) => Array.from(row)));
    expect(await embeddings.embedQuery(texts[2] ?? '')).toHaveLength(64);
    expect(await embeddings.embedDocuments([])).toEqual([]);
  });

  test('a vector store and its retriever find what is asked for', async () => {
    const store = await FakeVectorStore.fromDocuments(documents, new GtewayEmbeddings(session));
    const retriever = store.asRetriever({ k: 1 });
    const found = await retriever.batch([
      'a young dog',
      'how to bake bread',
      'money and interest rates',
      'a planet and its moons',
    ]);
    expect(found.map(([best]) => best?.metadata.place as number)).toEqual([0, 1, 2, 3]);
  });

  test('queries and documents get the model’s own prompts, or those it is told', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gteway-langchain-'));
    try {
      const model = await prompted(folder);
      await using own = await Session.load(model, { threads: 1 });
      expect(own.info.prompts).toMatchObject({ query: 'query: ', passage: 'passage: ' });
      const embeddings = new GtewayEmbeddings(own);
      const row = async (text: string): Promise<number[]> => Array.from((await own.embed(text)).at(0));
      expect(await embeddings.embedQuery('the egg')).toEqual(await row('query: the egg'));
      expect(await embeddings.embedDocuments(['the egg'])).toEqual([await row('passage: the egg')]);
      const told = new GtewayEmbeddings(own, { prompts: { query: { text: '' }, passage: 'query' } });
      expect(await told.embedQuery('the egg')).toEqual(await row('the egg'));
      expect(await told.embedDocuments(['the egg'])).toEqual([await row('query: the egg')]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('closes what it opened, and fails at once where it fails', async () => {
    const own = new GtewayEmbeddings('gteway-mini', { open: { threads: 1 }, embed: { truncate: false } });
    await expect(own.embedQuery('word '.repeat(700))).rejects.toMatchObject({ code: 'ERR_TEXT_TOO_LONG' });
    await own.close();
    await expect(own.embedDocuments(texts)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await new GtewayEmbeddings(session).close();
    expect((await session.embed('x')).rows).toBe(1);
  });

  test('refuses malformed options', () => {
    expect(() => new GtewayEmbeddings(session, { maxConcurrency: 2 } as object)).toThrow(/unknown option/);
    expect(() => new GtewayEmbeddings(session, { prompts: { document: 'x' } as object })).toThrow(
      /prompts: unknown option/,
    );
    expect(() => new GtewayEmbeddings(session, { prompts: { query: 7 as unknown as string } })).toThrow(TypeError);
    expect(() => new GtewayEmbeddings('mistral')).toThrow(/is a language model/);
  });
});

/** The fixture model with prompts of its own. */
async function prompted(folder: string): Promise<string> {
  const model = join(folder, 'model');
  cpSync(await fixtureModel(folder), model, { recursive: true });
  const prompts = { query: 'query: ', document: 'passage: ' };
  writeFileSync(join(model, 'config_sentence_transformers.json'), JSON.stringify({ prompts }));
  return model;
}

describe('GtewayRerank', () => {
  test('puts what a retriever found in the reranker’s order', async () => {
    await using reranker = await Reranker.load(inject('reranker'), { threads: 1 });
    const compressor = new GtewayRerank(reranker, { topK: 2 });
    expect(compressor).toBeInstanceOf(BaseDocumentCompressor);
    const store = await FakeVectorStore.fromDocuments(documents, new GtewayEmbeddings(session));
    const retriever = store.asRetriever({ k: 4 });
    const query = 'the planet of the dog';
    const chain = RunnableLambda.from(async (question: string) =>
      compressor.compressDocuments(await retriever.invoke(question), question),
    );
    const best = await chain.invoke(query);
    const found = await retriever.invoke(query);
    const expected = await reranker.rerank(
      query,
      found.map(({ pageContent }) => pageContent),
      { topK: 2 },
    );
    expect(best).toEqual(
      expected.map(({ index, score }) => {
        const { pageContent, metadata, id } = found[index] ?? new Document({ pageContent: '' });
        const scored = { pageContent, metadata: { ...metadata, relevanceScore: score } };
        return new Document(id === undefined ? scored : { ...scored, id });
      }),
    );
    expect(found.every(({ metadata }) => !('relevanceScore' in metadata))).toBe(true);
  });

  test('keeps ids, closes what it opened, refuses malformed options', async () => {
    const compressor = new GtewayRerank(inject('reranker'), { open: { threads: 1 }, rerank: { activation: 'none' } });
    const ranked = await compressor.compressDocuments(documents, 'a dog');
    expect(ranked.map(({ id }) => id).sort()).toEqual(['d0', 'd1', 'd2', 'd3']);
    await compressor.close();
    await expect(compressor.compressDocuments(documents, 'a dog')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(() => new GtewayRerank(inject('reranker'), { topK: 0 })).toThrow(RangeError);
    expect(() => new GtewayRerank('nothing')).toThrow(/is no reranker gteway knows/);
  });
});

describe('a missing peer', () => {
  test('is named; gteway/ai needs none to be loaded', async () => {
    await buildLibrary();
    const folder = mkdtempSync(join(tmpdir(), 'gteway-peers-'));
    try {
      // The package alone, and beside it only what it depends on.
      const installed = join(folder, 'node_modules', 'gteway');
      mkdirSync(installed, { recursive: true });
      for (const part of ['package.json', 'dist', 'models'])
        cpSync(join(root, part), join(installed, part), { recursive: true });
      for (const name of ['node-gyp-build', 'undici', 'ollama', 'eventsource-parser']) {
        symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'dir');
      }
      const load = (name: string): ReturnType<typeof spawnSync> =>
        spawnSync(
          process.execPath,
          ['--input-type=module', '-e', `console.log(Object.keys(await import('${name}')).join())`],
          {
            cwd: folder,
            encoding: 'utf8',
          },
        );
      const ai = load('gteway/ai');
      expect(String(ai.stdout).trim(), String(ai.stderr)).toBe('GtewayEmbeddingModel,GtewayRerankingModel');
      const langchain = load('gteway/langchain');
      expect(langchain.status).toBe(1);
      expect(langchain.stderr).toContain("Cannot find package '@langchain/core'");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
