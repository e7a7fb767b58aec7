// Sessions in worker_threads, ended in the way the second argument names.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Session } from '../../../dist/index.js';

const texts = Array.from({ length: 20_000 }, (_, i) => `${i} ${'work that takes a while '.repeat(20)}`);

if (!isMainThread) {
  const session = await Session.load(workerData.model);
  const vector = await session.run('Hello world');
  if (workerData.how === 'terminate-busy') session.embed(texts).catch(() => undefined);
  if (workerData.how === 'exit-busy') {
    session.embed(texts).catch(() => undefined);
    setTimeout(() => process.exit(3), 50);
  }
  parentPort.postMessage(vector);
  if (workerData.how === 'close') await session.close();
} else {
  const [model, how] = process.argv.slice(2);
  const start = () => new Worker(new URL(import.meta.url), { workerData: { model, how } });
  const message = (worker) => new Promise((resolve) => worker.once('message', resolve));
  const exit = (worker) => new Promise((resolve) => worker.once('exit', resolve));

  const main = await Session.load(model);
  const expected = JSON.stringify(await main.run('Hello world'));
  const workers = [start(), start()];
  const exits = workers.map(exit);
  const vectors = await Promise.all(workers.map(message));
  if (how === 'terminate-busy') {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  const codes = await Promise.all(exits);
  // The main thread's session is none the worse for it.
  const after = JSON.stringify(await main.run('Hello world'));
  await main.close();
  console.log(
    JSON.stringify({ same: vectors.every((v) => JSON.stringify(v) === expected) && after === expected, codes }),
  );
}
