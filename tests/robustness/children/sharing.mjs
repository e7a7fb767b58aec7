// Sessions of one model in the main thread and in workers; prints how many share an engine, whether their vectors have
// the same bits, and how much memory the workers' sessions added.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Session } from '../../../dist/index.js';

const texts = Array.from({ length: 40 }, (_, i) => `text ${i} ${'and more '.repeat(i)}`);
const bitsOf = async (session) => Buffer.from((await session.embed(texts)).data.buffer).toString('base64');
const said = (worker) => new Promise((resolve) => worker.once('message', resolve));

if (!isMainThread) {
  const session = await Session.load(workerData.model, { dtype: workerData.dtype });
  parentPort.on('message', async (order) => {
    if (order === 'embed') parentPort.postMessage(await bitsOf(session));
    if (order !== 'end') return;
    await session.close();
    parentPort.close();
  });
  parentPort.postMessage('ready');
} else {
  const [model, dtype, workers] = process.argv.slice(2);
  const start = () => new Worker(new URL(import.meta.url), { workerData: { model, dtype } });
  const main = await Session.load(model, { dtype });
  const expected = await bitsOf(main);
  const sharing = [main.stats().engine.sessions];
  const before = process.memoryUsage().rss;

  const running = Array.from({ length: Number(workers) }, () => start());
  await Promise.all(running.map(said));
  sharing.push(main.stats().engine.sessions);
  const answers = running.map(said);
  for (const worker of running) worker.postMessage('embed');
  const bits = await Promise.all([...answers, bitsOf(main)]);
  const growth = process.memoryUsage().rss - before;

  for (const worker of running) {
    const gone = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage('end');
    await gone;
    bits.push(await bitsOf(main));
    sharing.push(main.stats().engine.sessions);
  }
  await main.close();
  console.log(JSON.stringify({ sharing, same: bits.every((each) => each === expected), growth }));
}
