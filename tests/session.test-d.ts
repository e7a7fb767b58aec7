/** What the types promise, by the model's name. Checked by the compiler; nothing here runs. */
import type { GenerateResponse } from 'ollama/browser';
import { describe, expectTypeOf, test } from 'vitest';
import {
  type ChatCompletionResult,
  type EmbedTrace,
  type Embeddings,
  type ErrorCode,
  type GtewayError,
  isGtewayError,
  type LlmStream,
  type LoadTrace,
  type OllamaChatResult,
  type OllamaGenerateResult,
  type RerankerInfo,
  Session,
  type SessionInfo,
  type SessionStats,
} from '../lib/index.js';

const messages = [{ role: 'user', content: 'hi' }];

describe('a known embedding model', () => {
  const session = new Session('gte-small');

  test('run gives a vector per text, or per token', () => {
    expectTypeOf(session.run('text')).resolves.toEqualTypeOf<number[]>();
    expectTypeOf(session.run('text', { mean_pool: true, normalize: true })).resolves.toEqualTypeOf<number[]>();
    expectTypeOf(session.run(['a', 'b'])).resolves.toEqualTypeOf<number[][]>();
    expectTypeOf(session.run('text', { mean_pool: false })).resolves.toEqualTypeOf<number[][]>();
    expectTypeOf(session.run(['a'], { mean_pool: false })).resolves.toEqualTypeOf<number[][][]>();
  });

  test('a readonly array is welcome', () => {
    const texts = ['a', 'b'] as const;
    expectTypeOf(session.run(texts)).resolves.toEqualTypeOf<number[][]>();
  });

  test('options of language models, unknown ones and wrong types are refused', () => {
    // @ts-expect-error a stream is for language models
    void session.run('text', { stream: true });
    // @ts-expect-error it is mean_pool
    void session.run('text', { meanPool: true });
    // @ts-expect-error a number is no text
    void session.run(42);
    // @ts-expect-error no such pooling
    void session.embed('text', { pooling: 'max' });
    // @ts-expect-error no such device
    new Session('gte-small', { device: 'gpu' });
  });

  test('a stream gives rows, and Errors only where they are asked for', () => {
    type Stream<Item> = AsyncGenerator<Item, void, undefined>;
    expectTypeOf(session.embedStream(['a'])).toEqualTypeOf<Stream<Float32Array>>();
    expectTypeOf(session.embedStream(['a'], { onError: 'throw' })).toEqualTypeOf<Stream<Float32Array>>();
    expectTypeOf(session.embedStream(['a', 7], { onError: 'continue' })).toEqualTypeOf<Stream<Float32Array | Error>>();
    // @ts-expect-error a number is no text, and would end the stream
    session.embedStream(['a', 7]);
    // @ts-expect-error one row per text
    session.embedStream(['a'], { pooling: 'none' });
  });

  test('statistics and traces have their types', () => {
    expectTypeOf(session.stats()).toEqualTypeOf<SessionStats>();
    expectTypeOf(session.stats().latency.total.p99).toEqualTypeOf<number>();
    expectTypeOf<EmbedTrace['result']>().toEqualTypeOf<Embeddings | undefined>();
    expectTypeOf<LoadTrace['result']>().toEqualTypeOf<SessionInfo | RerankerInfo | undefined>();
    // @ts-expect-error the size of a cache is what makes one
    new Session('gte-small', { cache: {} });
  });

  test('embed and info have their types, and it can be disposed of', () => {
    expectTypeOf(session.embed('text')).resolves.toEqualTypeOf<Embeddings>();
    expectTypeOf(session.info).toEqualTypeOf<SessionInfo>();
    expectTypeOf(session).toExtend<AsyncDisposable>();
    expectTypeOf(Session.load('gte-small')).resolves.toEqualTypeOf<Session<'gte-small'>>();
  });
});

test('directories and repositories are embedding models', () => {
  expectTypeOf(new Session('./model').run('text')).resolves.toEqualTypeOf<number[]>();
  expectTypeOf(new Session('owner/name').run('text')).resolves.toEqualTypeOf<number[]>();
});

describe('a language model', () => {
  const session = new Session('mistral', { host: 'http://localhost:11434' });

  test('the answer follows from mode, stream and prompt', () => {
    expectTypeOf(session.run('prompt')).resolves.toEqualTypeOf<OllamaGenerateResult>();
    expectTypeOf(session.run({ messages })).resolves.toEqualTypeOf<OllamaChatResult>();
    expectTypeOf(session.run('prompt', { stream: true })).resolves.toEqualTypeOf<LlmStream<GenerateResponse>>();
    expectTypeOf(session.run('prompt', { mode: 'openaicompatible' })).resolves.toEqualTypeOf<ChatCompletionResult>();
  });

  test('options of embedding models are refused', () => {
    // @ts-expect-error vectors are pooled, prompts are not
    void session.run('prompt', { mean_pool: true });
  });
});

test('a name known only at run time has both forms', () => {
  const session = new Session(process.argv[2] ?? '');
  expectTypeOf(session.run('text')).resolves.toEqualTypeOf<number[]>();
  expectTypeOf(session.run('prompt', { stream: false })).resolves.toEqualTypeOf<OllamaGenerateResult>();
});

test('isGtewayError narrows', () => {
  const error: unknown = null;
  if (isGtewayError(error)) {
    expectTypeOf(error).toEqualTypeOf<GtewayError>();
    expectTypeOf(error.code).toEqualTypeOf<ErrorCode>();
  }
});
