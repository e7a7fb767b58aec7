// Ends this process, or worker threads of it one after the other, while sessions are being loaded.
//
//   node ended-while-loading.mjs '{ how, model, engine, sessions, delays }'
//
// how: 'ready' prints how long loading takes, in milliseconds; 'exit' calls process.exit(7) when the first of `delays` has
// passed since the first session was made; 'reallyExit' ends without the event 'exit'; 'terminate' does that to a worker for
// each of `delays`, and prints how long each terminate() took; 'close' likewise closes a session. What had been loaded before
// its delay had passed is not printed: it is a model that is let go of, not a load that is given up.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Session } from '../../../dist/index.js';

const { how, model, engine, sessions, delays = [] } = workerData ?? JSON.parse(process.argv[2]);

/** Sessions of different numbers of threads do not share an engine. */
const load = () =>
  Array.from({ length: sessions }, (_, i) => {
    const ready = new Session(model, { engine, threads: 1 + i }).ready();
    ready.catch(() => undefined);
    return ready;
  });

/** To a fraction of a millisecond, which timers are not. */
const after = (delay, act) => {
  const due = performance.now() + delay;
  const wait = () => {
    if (performance.now() >= due) act();
    else setImmediate(wait);
  };
  setTimeout(wait, Math.max(0, delay - 2));
};

if (!isMainThread) {
  const loading = Promise.all(load());
  parentPort.postMessage('loading');
  loading.then(
    () => parentPort.postMessage('ready'),
    () => undefined,
  );
} else if (how === 'ready') {
  const begin = performance.now();
  await Promise.all(load());
  console.log(performance.now() - begin);
  process.exit(0);
} else if (how === 'terminate') {
  const took = [];
  for (const delay of delays) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { how, model, engine, sessions } });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    let ready = false;
    worker.on('message', (message) => (ready ||= message === 'ready'));
    await new Promise((resolve) => after(delay, resolve));
    const wasReady = ready;
    const begin = performance.now();
    await worker.terminate();
    if (!wasReady) took.push(performance.now() - begin);
  }
  console.log(JSON.stringify(took));
} else if (how === 'close') {
  const took = [];
  for (const delay of delays) {
    const session = new Session(model, { engine, threads: sessions });
    let ready = false;
    session.ready().then(
      () => (ready = true),
      () => undefined,
    );
    await new Promise((resolve) => after(delay, resolve));
    const wasReady = ready;
    const begin = performance.now();
    await session.close();
    if (!wasReady) took.push(performance.now() - begin);
  }
  console.log(JSON.stringify(took));
} else {
  load();
  after(delays[0], () => (how === 'exit' ? process.exit(7) : process.reallyExit(7)));
}
