/** Every competitor, by the file that drives it. A new one is a file here and a line. */
import * as families from './families.mjs';
import * as fastembed from './fastembed.mjs';
import * as gteway from './gteway.mjs';
import * as onnxruntimeWeb from './onnxruntime-web.mjs';
import * as onnxruntime from './onnxruntime.mjs';
import * as transformers from './transformers.mjs';

/** @type {Record<string, import('./driver.mjs').Driver>} */
export const drivers = {
  gteway,
  'onnxruntime-node': onnxruntime,
  transformers,
  'onnxruntime-web': onnxruntimeWeb,
  families,
  fastembed,
};
