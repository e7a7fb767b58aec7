// Loads the fixture with ONNX Runtime (or the engine given) and prints the outcome: the vector's length, or the error's
// code and message.
import { createRequire } from 'node:module';
import { Session } from '../../../dist/index.js';

const [model, order, engine = 'ort'] = process.argv.slice(2);
const openTheirs = async () => {
  const { InferenceSession } = createRequire(import.meta.url)('onnxruntime-node');
  return InferenceSession.create(`${model}/onnx/model.onnx`);
};
try {
  const theirs = order === 'theirs-first' ? await openTheirs() : undefined;
  const session = await Session.load(model, { engine });
  const vector = await session.run('Hello world');
  if (order === 'ours-first') await (await openTheirs()).release();
  await session.close();
  await theirs?.release();
  console.log(JSON.stringify({ length: vector.length }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
