/** What tracing tools hear on node:diagnostics_channel, and that silence costs nothing. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { Embeddings, type EmbedTrace, type LoadTrace, Session } from '../../lib/index.js';

let session: Session;
beforeAll(async () => {
  session = await Session.load(inject('fixture'));
});
afterAll(() => session.close());

type Event<Trace> = [event: string, trace: Trace];

/** Everything that is published until the test ends. */
function listen<Trace extends object>(name: string): Event<Trace>[] {
  const heard: Event<Trace>[] = [];
  const traced = tracingChannel<unknown, Trace>(name);
  const listener =
    (event: string) =>
    (trace: unknown): void =>
      void heard.push([event, trace as Trace]);
  const listeners = {
    start: listener('start'),
    end: listener('end'),
    asyncStart: listener('asyncStart'),
    asyncEnd: listener('asyncEnd'),
    error: listener('error'),
  };
  traced.subscribe(listeners);
  onTestFinished(() => traced.unsubscribe(listeners));
  return heard;
}

test('gteway:embed: one object goes through the events of a call, and gets its result', async () => {
  const heard = listen<EmbedTrace>('gteway:embed');
  const embeddings = await session.embed(['one', 'three'], { normalize: false, timeout: 60 });
  expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
  const trace = heard[0]?.[1];
  expect(new Set(heard.map(([, each]) => each))).toEqual(new Set([trace]));
  expect(trace).toMatchObject({
    operation: 'embed',
    model: inject('fixture'),
    info: session.info,
    texts: 2,
    characters: 8,
    options: { normalize: false, timeout: 60 },
  });
  expect(trace?.result).toBe(embeddings);
});

test('run and embedStream are named as such', async () => {
  const heard = listen<EmbedTrace>('gteway:embed');
  await session.run('text');
  for await (const row of session.embedStream(['a', 'b'])) expect(row).toHaveLength(96);
  const started = heard.filter(([event]) => event === 'start').map(([, { operation, texts }]) => [operation, texts]);
  expect(started).toEqual([
    ['run', 1],
    ['embedStream', 2],
  ]);
});

test('a failed call publishes its error, also one that never reached the native side', async () => {
  const heard = listen<EmbedTrace>('gteway:embed');
  const error: unknown = await session.embed('x', { signal: AbortSignal.abort() }).catch((reason: unknown) => reason);
  expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  expect(heard.at(-1)?.[1].error).toBe(error);
  expect(error).toMatchObject({ code: 'ERR_ABORTED' });
});

test('misuse is no call: it is thrown before', async () => {
  const heard = listen<EmbedTrace>('gteway:embed');
  await expect(session.embed(7 as unknown as string)).rejects.toThrow(TypeError);
  expect(heard).toEqual([]);
});

test('gteway:load: a session that loads, and one that cannot', async () => {
  const heard = listen<LoadTrace>('gteway:load');
  await using loaded = await Session.load(inject('fixture'));
  expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
  expect(heard[0]?.[1]).toEqual({ model: inject('fixture'), result: loaded.info });
  heard.length = 0;
  await Session.load('./no-such-directory').catch(() => undefined);
  expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  expect(heard[0]?.[1].error).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' });
});

test('a store bound to start is the one of the call, as tracing tools carry their spans', async () => {
  const spans = new AsyncLocalStorage<EmbedTrace>();
  const start = channel('tracing:gteway:embed:start');
  start.bindStore(spans);
  onTestFinished(() => void start.unbindStore(spans));
  const seen: (EmbedTrace | undefined)[] = [];
  const listener = (): void => void seen.push(spans.getStore());
  subscribe('tracing:gteway:embed:asyncEnd', listener);
  onTestFinished(() => void unsubscribe('tracing:gteway:embed:asyncEnd', listener));
  await session.embed('text');
  expect(seen).toMatchObject([{ operation: 'embed', texts: 1 }]);
});

test('without subscribers no message is made', async () => {
  // Summing up characters is what making one costs; an array that counts its readers shows whether it was done.
  let reads = 0;
  const texts = ['text'];
  Object.defineProperty(texts, 'reduce', {
    get() {
      reads++;
      return Array.prototype.reduce.bind(texts);
    },
  });
  expect(await session.embed(texts)).toBeInstanceOf(Embeddings);
  expect(reads).toBe(0);
  listen<EmbedTrace>('gteway:embed');
  await session.embed(texts);
  expect(reads).toBe(1);
});
