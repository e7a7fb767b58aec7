// Calls methods of busy sessions whose thread is about to end, and prints as JSON what became of each call.
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Session } from '../../../dist/index.js';

const texts = Array.from({ length: 20_000 }, (_, i) => `${i} ${'work that takes a while '.repeat(20)}`);

const busySession = async (model) => {
  const session = await Session.load(model);
  session.embed(texts).catch(() => undefined);
  return session;
};

const calls = {
  'ready()': (session) => session.ready().then(() => new Promise(() => undefined)),
  'run()': (session) => session.run('text'),
  'embed()': (session) => session.embed('text'),
  'embedDocument()': (session) => session.embedDocument('text'),
  'embedStream()': async (session) => {
    for await (const row of session.embedStream(texts)) if (row.length === 0) throw new Error('an empty row');
  },
  'stats()': (session) => session.stats().queue.texts,
  info: (session) => session.info.dimensions,
  'close()': (session) => session.close(),
  'asyncDispose()': (session) => session[Symbol.asyncDispose](),
};

/** What can be told at once: a promise has not been settled, and there will be no turn for it. */
const outcomeOf = (call) => {
  try {
    const result = call();
    if (!(result instanceof Promise)) return 'ok';
    result.catch(() => undefined);
    return 'ends with it';
  } catch (error) {
    return error.code ?? error.name;
  }
};

if (!isMainThread) {
  const { model, method } = workerData;
  const session = await busySession(model);
  // The last thing that this thread does: it never returns to its event loop.
  parentPort.postMessage(outcomeOf(() => calls[method](session)));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
} else {
  const [model, state, ...methods] = process.argv.slice(2);
  if (state === 'process exits') {
    const sessions = await Promise.all(methods.map(() => busySession(model)));
    process.on('exit', () => {
      const outcomes = methods.map((method, i) => [method, outcomeOf(() => calls[method](sessions[i]))]);
      writeSync(1, JSON.stringify(Object.fromEntries(outcomes)));
    });
    process.exit(7);
  }
  const session = await Session.load(model);
  const before = JSON.stringify(await session.run('Hello world'));
  const outcomes = {};
  for (const method of methods) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { model, method } });
    outcomes[method] = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const code = await worker.terminate();
    if (code !== 1) outcomes[method] += `, exit code ${code}`;
  }
  // The main thread's session is none the worse for it.
  if (JSON.stringify(await session.run('Hello world')) !== before) outcomes.after = 'other vectors';
  await session.close();
  console.log(JSON.stringify(outcomes));
}
