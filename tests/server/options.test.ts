/** Options of `gteway serve`: where they come from, which place wins, and what is refused. */
import { describe, expect, test } from 'vitest';
import {
  flagOf,
  readServeOptions,
  type ServeOptions,
  serveOptionNames,
  serveOptionTable,
  variableOf,
} from '../../lib/server/options.js';
import { parseModelRequest } from '../../lib/server/served-models.js';

/** For each option two values that differ from the default: as the variable's text and as JSON. */
const samples: { readonly [Name in keyof ServeOptions]: readonly [text: string, json: unknown, parsed: unknown] } = {
  model: ['a/b,c/d', ['e/f'], ['e/f']],
  host: ['0.0.0.0', '::1', '::1'],
  port: ['9000', 9001, 9001],
  socket: ['/run/a.sock', '/run/b.sock', '/run/b.sock'],
  apiKey: ['one,two', 'three', ['three']],
  apiKeyFile: ['a', 'b', 'b'],
  corsOrigin: ['*', ['https://example.com'], ['https://example.com']],
  tlsCert: ['a.pem', 'b.pem', 'b.pem'],
  tlsKey: ['a.key', 'b.key', 'b.key'],
  maxBody: ['512KiB', '16MiB', 16 * 2 ** 20],
  maxBatch: ['64', 65, 65],
  maxQueue: ['100', 101, 101],
  requestTimeout: ['1.5', 2.5, 2.5],
  receiveTimeout: ['3', 4, 4],
  shutdownTimeout: ['5', 6, 6],
  device: ['cpu', 'cuda', 'cuda'],
  engine: ['ort', 'encoder', 'encoder'],
  vectorCache: ['1GiB', 2048, 2048],
  dtype: ['int8', 'fp16', 'fp16'],
  threads: ['3', 4, 4],
  maxBatchTokens: ['128', 129, 129],
  cacheDir: ['/a', '/b', '/b'],
  offline: ['yes', false, false],
  logLevel: ['warn', 'debug', 'debug'],
};

const fileOf = (object: unknown): { name: string; text: string } => ({
  name: 'serve.json',
  text: JSON.stringify(object),
});
/** Options that need each other. */
const beside: Partial<Record<keyof ServeOptions, Partial<ServeOptions>>> = {
  tlsCert: { tlsKey: 'x' },
  tlsKey: { tlsCert: 'x' },
};

describe('each option', () => {
  test.each(serveOptionNames)('%s: flag before variable before file before default', (name) => {
    const [text, json, parsed] = samples[name];
    const flags = beside[name] ?? {};
    const variables = { [variableOf(name)]: text };
    const file = fileOf({ [name]: json });
    const { fallback } = serveOptionTable[name];
    if (beside[name] === undefined) {
      expect(readServeOptions({ flags: {}, env: {}, file: undefined })[name]).toEqual(fallback);
    }
    expect(readServeOptions({ flags, env: {}, file })[name]).toEqual(parsed);
    const fromVariable = readServeOptions({ flags, env: variables, file })[name];
    expect(fromVariable).not.toEqual(parsed);
    expect(fromVariable).not.toEqual(fallback);
    const flag = { ...flags, [name]: fallback ?? 'flag' } as Partial<ServeOptions>;
    expect(readServeOptions({ flags: flag, env: variables, file })[name]).toEqual(fallback ?? 'flag');
  });

  test.each(serveOptionNames)('%s: a value it cannot have is an error that says where it stands', (name) => {
    expect(() => readServeOptions({ flags: {}, env: {}, file: fileOf({ [name]: { no: 'such' } }) })).toThrow(
      new RegExp(`^serve\\.json: ${name} must be `),
    );
  });

  test('numbers, choices and sizes out of range are refused in variables too', () => {
    const bad: Partial<Record<keyof ServeOptions, string>> = {
      port: '65536',
      maxBatch: '0',
      maxQueue: '-1',
      requestTimeout: '0',
      threads: 'two',
      dtype: 'fp8',
      maxBody: '1TiB',
      offline: 'perhaps',
      logLevel: 'loud',
    };
    for (const [name, value] of Object.entries(bad)) {
      const variable = variableOf(name as keyof ServeOptions);
      expect(() => readServeOptions({ flags: {}, env: { [variable]: value }, file: undefined })).toThrow(
        new RegExp(`^${variable} must be .*, not '?${value}'?$`),
      );
    }
  });
});

describe('what is refused', () => {
  const read = (sources: Partial<Parameters<typeof readServeOptions>[0]>): ServeOptions =>
    readServeOptions({ flags: {}, env: {}, file: undefined, ...sources });

  test('unknown variables and keys, naming the nearest', () => {
    expect(() => read({ env: { GTEWAY_SERVE_MAX_BACH: '1' } })).toThrow(/did you mean 'GTEWAY_SERVE_MAX_BATCH'\?/);
    expect(() => read({ file: fileOf({ max_batch: 1 }) })).toThrow(
      /^serve\.json: unknown option 'max_batch'; did you mean 'maxBatch'\?/,
    );
    expect(read({ env: { GTEWAY_FORCE_ISA: 'scalar', GTEWAY_SERVE_PORT: ' ' } }).port).toBe(8080);
  });

  test('a file that is no JSON object', () => {
    expect(() => read({ file: { name: 'serve.json', text: '{' } })).toThrow(/^serve\.json is not JSON/);
    expect(() => read({ file: fileOf([]) })).toThrow(/must hold a JSON object/);
  });

  test('half of a TLS pair, origins with a path, models given twice', () => {
    expect(() => read({ flags: { tlsCert: 'a' } })).toThrow(/tlsCert is set, but not tlsKey/);
    expect(() => read({ flags: { corsOrigin: ['https://a.example/path'] } })).toThrow(/without a path/);
    expect(() => read({ flags: { model: ['a/b', 'a/b'] } })).toThrow(/'a\/b' is given twice/);
  });

  test('language models, with what to do instead', () => {
    expect(() => parseModelRequest('mistral')).toThrow(
      /'mistral' is no embedding model.*Language models are not served here/s,
    );
    expect(() => parseModelRequest('embedder=llama3:8b')).toThrow(/Language models are not served here/);
  });
});

test('models get the name clients use: given, known, repository or directory', () => {
  expect(parseModelRequest('GTE-Small')).toEqual({ name: 'gte-small', model: 'GTE-Small' });
  expect(parseModelRequest('owner/name@v1')).toEqual({ name: 'owner/name@v1', model: 'owner/name@v1' });
  expect(parseModelRequest('/models/my-model/')).toEqual({ name: 'my-model', model: '/models/my-model/' });
  expect(parseModelRequest('text-embedding-3-small=gte-small')).toEqual({
    name: 'text-embedding-3-small',
    model: 'gte-small',
  });
  expect(parseModelRequest('./odd=directory')).toEqual({ name: 'odd=directory', model: './odd=directory' });
});

test('flags and variables follow from the names', () => {
  expect([flagOf('maxBatchTokens'), variableOf('maxBatchTokens')]).toEqual([
    '--max-batch-tokens',
    'GTEWAY_SERVE_MAX_BATCH_TOKENS',
  ]);
});
