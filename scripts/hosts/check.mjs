import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { cosineSimilarity, Session } from 'gteway';

const texts = ['The cat sleeps on the sofa.', 'A kitten is lying on the couch.', 'Interest rates were raised again.'];
const session = await Session.load('gteway-mini');
const [cat, kitten, rates] = await Promise.all(texts.map((text) => session.run(text)));
const vector = [...cat].join();
if (!isMainThread) parentPort.postMessage(vector);
else {
  const inWorker = new Promise((settle, reject) => {
    const worker = new Worker(new URL(import.meta.url));
    worker.once('message', settle);
    worker.once('error', reject);
  });
  let required = false;
  try {
    required = createRequire(import.meta.url)('gteway').Session === Session;
  } catch (error) {
    required = String(error);
  }
  let onnx = 'none';
  try {
    const other = await Session.load('gteway-mini', { engine: 'ort' });
    onnx = cosineSimilarity(await other.run(texts[0]), cat) > 0.99 ? 'runs' : 'wrong vectors';
    await other.close();
  } catch (error) {
    onnx = error.code;
  }
  const meaning = cosineSimilarity(cat, kitten) > cosineSimilarity(cat, rates);
  console.log(`RESULT ${JSON.stringify({ meaning, required, worker: (await inWorker) === vector, onnx })}`);
}
await session.close();
