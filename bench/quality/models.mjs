/** Models made from the one that is judged: its shape with random weights, its weights in an int8 graph. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors } from './safetensors.mjs';

const cache = fileURLToPath(new URL('../.cache', import.meta.url));

/**
 * @param {string} directory of a BERT model
 * @returns {import('../../lib/models/fixture/shape.js').FixtureShape}
 */
function shapeOf(directory) {
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
  return {
    layers: config.num_hidden_layers,
    hidden: config.hidden_size,
    heads: config.num_attention_heads,
    intermediate: config.intermediate_size,
    positions: config.max_position_embeddings,
    vocabularySize: config.vocab_size,
  };
}

/**
 * A model that was never trained, of the same shape where `directory` is there, otherwise the shape of gteway's fixture.
 *
 * @param {string} directory
 */
export async function randomModel(directory) {
  const { writeFixtureModel } = await import('../../dist/models/fixture/fixture-model.js');
  const { demoShape } = await import('../../dist/models/fixture/shape.js');
  const shape = existsSync(join(directory, 'config.json')) ? shapeOf(directory) : demoShape;
  const target = join(cache, `random-${Object.values(shape).join('-')}`);
  await writeFixtureModel(target, shape);
  return target;
}

/**
 * The model with an int8 graph for ONNX Runtime: its own where it has one, otherwise the graph that gteway's fixture
 * writes, dynamically quantised, with the weights of its model.safetensors.
 *
 * @param {string} directory
 * @returns {Promise<{ directory: string, made: boolean, remove: () => void }>}
 * @throws Error where the model's weights do not make that graph
 */
export async function quantizedModel(directory) {
  const names = ['onnx/model_quantized.onnx', 'onnx/model_int8.onnx', 'model_quantized.onnx', 'model_int8.onnx'];
  if (names.some((name) => existsSync(join(directory, name)))) {
    return { directory, made: false, remove: () => undefined };
  }
  const { bertModel, layerNormEpsilon } = await import('../../dist/models/fixture/bert-graph.js');
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
  if (config.layer_norm_eps !== layerNormEpsilon || !['gelu', undefined].includes(config.hidden_act)) {
    throw new Error(
      `no int8 .onnx file, and none can be made: layer_norm_eps ${config.layer_norm_eps}, ${config.hidden_act}`,
    );
  }
  const tensors = [...readSafetensors(join(directory, 'model.safetensors'))];
  const bare = tensors.map(([name, tensor]) => [name.replace(/^bert\./, ''), tensor]);
  const graph = bertModel(shapeOf(directory), new Map(/** @type {any} */ (bare)), 'int8');
  const target = mkdtempSync(join(tmpdir(), 'gteway-quality-'));
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'modules.json', '1_Pooling']) {
    if (existsSync(join(directory, name))) cpSync(join(directory, name), join(target, name), { recursive: true });
  }
  mkdirSync(join(target, 'onnx'));
  writeFileSync(join(target, 'onnx/model_quantized.onnx'), graph);
  return { directory: target, made: true, remove: () => rmSync(target, { recursive: true, force: true }) };
}
