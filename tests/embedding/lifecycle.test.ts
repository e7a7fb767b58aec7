/**
 * What becomes of a call, by the state the session is in. The table is the specification: each of its cells is a test.
 *
 * ok: it resolves or returns. ok, later: a call resolves when what it waits for is there: the model, room in the queue.
 * ends with it: the promise is never settled, the thread or process ends as it was told to, and nothing crashes.
 */
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { Embeddings, isGtewayError, Session } from '../../lib/index.js';
import { buildLibrary } from '../built-library.js';
import { runChild } from '../robustness/child.js';
import { until } from '../until.js';

const table = `
                | ready()             | run()               | embed()             | embedDocument()     | embedStream()       | stats() | info                | close() | asyncDispose()
loading         | ok, later           | ok, later           | ok, later           | ok, later           | ok, later           | ok      | TypeError           | ok      | ok
load failed     | ERR_MODEL_NOT_FOUND | ERR_MODEL_NOT_FOUND | ERR_MODEL_NOT_FOUND | ERR_MODEL_NOT_FOUND | ERR_MODEL_NOT_FOUND | ok      | ERR_MODEL_NOT_FOUND | ok      | ok
idle            | ok                  | ok                  | ok                  | ok                  | ok                  | ok      | ok                  | ok      | ok
busy            | ok                  | ok                  | ok                  | ok                  | ok                  | ok      | ok                  | ok      | ok
queue full      | ok                  | ERR_OVERLOADED      | ERR_OVERLOADED      | ERR_OVERLOADED      | ok, later           | ok      | ok                  | ok      | ok
closing         | ERR_CLOSED          | ERR_CLOSED          | ERR_CLOSED          | ERR_CLOSED          | ERR_CLOSED          | ok      | ok                  | ok      | ok
closed          | ERR_CLOSED          | ERR_CLOSED          | ERR_CLOSED          | ERR_CLOSED          | ERR_CLOSED          | ok      | ok                  | ok      | ok
worker ends     | ends with it        | ends with it        | ends with it        | ends with it        | ends with it        | ok      | ok                  | ends with it | ends with it
process exits   | ends with it        | ends with it        | ends with it        | ends with it        | ends with it        | ok      | ok                  | ends with it | ends with it
`;

const [methods = [], ...rows] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map((cells, i) => (i === 0 ? cells.slice(1) : cells));
const cells = rows.flatMap(([state = '', ...outcomes]) =>
  outcomes.map((expected, i) => ({ state, method: methods[i] ?? '', expected })),
);

const model = inject('fixture');
const manyTexts = Array.from({ length: 3000 }, (_, i) => `${i} ${'keeps the session busy '.repeat(20)}`);

/** What was begun and ends with the session; its outcome is of other tests. */
function begin(work: Promise<unknown>): void {
  work.catch(() => undefined);
}

const states: Record<string, () => Promise<Session>> = {
  loading: () => Promise.resolve(new Session(model)),
  'load failed': async () => {
    const session = new Session<string>('./no-such-directory');
    await session.ready().catch(() => undefined);
    return session;
  },
  idle: () => Session.load(model),
  busy: async () => {
    const session = await Session.load(model);
    begin(session.embed(manyTexts));
    return session;
  },
  'queue full': async () => {
    // Streams wait for room: however late this thread looks, behind the text that fills the queue stands the next one,
    // and all of them together are more work than can be done before it looks.
    const session = await Session.load(model, { maxQueue: 1, threads: 1 });
    for (let i = 0; i < 200; i++) begin(session.embedStream([`${i} ${'!'.repeat(600)}`]).next());
    await until(() => expect(session.stats().queue.waiting).toBeGreaterThan(0));
    return session;
  },
  closing: async () => {
    const session = await Session.load(model);
    begin(session.embed(manyTexts));
    begin(session.close());
    return session;
  },
  closed: async () => {
    const session = await Session.load(model);
    await session.close();
    return session;
  },
};

/** Calls it, and checks what it gives where it gives something. */
const calls: Record<string, (session: Session) => unknown> = {
  'ready()': (session) => session.ready(),
  'run()': async (session) => expect(await session.run('text')).toHaveLength(96),
  'embed()': async (session) => expect(await session.embed('text')).toBeInstanceOf(Embeddings),
  'embedDocument()': async (session) =>
    expect((await session.embedDocument('text')).embeddings).toBeInstanceOf(Embeddings),
  'embedStream()': async (session) => {
    const rows: Float32Array[] = [];
    for await (const row of session.embedStream(['text', 'another'])) rows.push(row);
    expect(rows.map((row) => row.length)).toEqual([96, 96]);
  },
  'stats()': (session) => expect(session.stats().queue.texts).toBeGreaterThanOrEqual(0),
  info: (session) => expect(session.info.dimensions).toBe(96),
  'close()': (session) => session.close(),
  'asyncDispose()': (session) => session[Symbol.asyncDispose](),
};

async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'ok';
  } catch (error) {
    if (isGtewayError(error)) return error.code;
    if (error instanceof TypeError) return 'TypeError';
    throw error;
  }
}

describe('in this thread', () => {
  let session: Session | undefined;
  // Whatever was called, the session can be closed.
  afterEach(() => session?.close());

  const here = cells.filter(({ state }) => state in states);
  test.each(here)('$state: $method is $expected', async ({ state, method, expected }) => {
    session = await states[state]?.();
    if (session === undefined) throw new Error(`the table names a state that is not made: ${state}`);
    const made = session;
    expect(await outcomeOf(() => calls[method]?.(made))).toBe(expected.replace(', later', ''));
  });

  test('the table names every member of a session', () => {
    const named = methods.map((method) =>
      method === 'asyncDispose()' ? Symbol.asyncDispose : method.replace('()', ''),
    );
    const members = Reflect.ownKeys(Session.prototype).filter((name) => name !== 'constructor');
    expect(new Set(named)).toEqual(new Set([...members, 'run']));
  });
});

describe('where the thread ends', () => {
  beforeAll(() => buildLibrary());

  const there = cells.filter(({ state }) => !(state in states));
  const names = [...new Set(there.map(({ state }) => state))];
  test.each(names)('%s: each method is as the table says', async (state) => {
    const outcome = await runChild('lifecycle.mjs', [model, state, ...methods]);
    expect(outcome, outcome.output).toMatchObject({ code: state === 'process exits' ? 7 : 0, signal: null });
    const expected = there.filter((cell) => cell.state === state).map(({ method, expected: is }) => [method, is]);
    expect(JSON.parse(outcome.output)).toEqual(Object.fromEntries(expected));
  });
});
