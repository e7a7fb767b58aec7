// Loads a model with the options given, embeds, and prints what ran: engine, dtype, isa, fallbacks, the rows, whether ONNX
// Runtime's library is in the process, and by how many bytes resident memory has grown.
import { readFileSync } from 'node:fs';
import { Session } from '../../../dist/index.js';

const [model, options, texts] = process.argv.slice(2);
globalThis.gc?.();
const before = process.memoryUsage.rss();
try {
  const session = await Session.load(model, JSON.parse(options));
  const { engine, dtype, isa, fallbacks } = session.info;
  const embeddings = await session.embed(JSON.parse(texts));
  globalThis.gc?.();
  const grown = process.memoryUsage.rss() - before;
  const ort = process.platform === 'linux' && readFileSync('/proc/self/maps', 'utf8').includes('onnxruntime');
  const rows = Array.from(embeddings, (row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('hex'));
  await session.close();
  console.log(JSON.stringify({ engine, dtype, isa, fallbacks, grown, ort, rows }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
