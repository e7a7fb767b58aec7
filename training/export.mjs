#!/usr/bin/env node
/**
 * Makes the shipped model of what training wrote:
 *
 *   node training/export.mjs DIRECTORY/mini.json models/gteway-mini
 *
 * The weights are stored once, in half precision, in model.safetensors; model.onnx is a graph that reads them from there.
 * `mini.json` is what training/unpack.py makes of mini.npz: { vocabulary, tensors: { name: { dims, file } } }.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bertModel } from '../dist/models/fixture/bert-graph.js';
import { float16Bytes } from '../dist/models/fixture/precision.js';
import { safetensors } from '../dist/models/fixture/safetensors.js';
import { tokenizerFiles } from '../dist/models/fixture/tokenizer-files.js';

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined) throw new Error('usage: export.mjs mini.json DIRECTORY');
const { vocabulary, heads, tensors } = JSON.parse(readFileSync(source, 'utf8'));
const parameters = new Map();
for (const [name, { dims, file }] of Object.entries(tensors)) {
  const bytes = readFileSync(join(dirname(source), file));
  parameters.set(name, { name, dims, values: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) });
}
const dimsOf = (name) => parameters.get(name).dims;
const shape = {
  layers: [...parameters.keys()].filter((name) => name.endsWith('attention.self.query.weight')).length,
  hidden: dimsOf('embeddings.word_embeddings.weight')[1],
  heads,
  intermediate: dimsOf('encoder.layer.0.intermediate.dense.weight')[0],
  positions: dimsOf('embeddings.position_embeddings.weight')[0],
  vocabularySize: vocabulary.length,
};

mkdirSync(join(target, '1_Pooling'), { recursive: true });
const weights = safetensors(parameters.values(), { format: 'pt' }, { dtype: 'F16', bytes: float16Bytes });
writeFileSync(join(target, 'model.safetensors'), weights);
const view = new DataView(weights.buffer, weights.byteOffset);
const header = Number(view.getBigUint64(0, true));
const places = JSON.parse(Buffer.from(weights.subarray(8, 8 + header)).toString());
const stored = (name) => {
  const [begin, end] = places[name].data_offsets;
  return { location: 'model.safetensors', offset: 8 + header + begin, length: end - begin };
};
writeFileSync(join(target, 'model.onnx'), bertModel(shape, parameters, 'fp32', stored));
for (const [name, text] of tokenizerFiles(shape, vocabulary)) {
  if (name === 'tokenizer.json') writeFileSync(join(target, name), `${JSON.stringify(JSON.parse(text))}\n`);
  if (name === 'tokenizer_config.json') writeFileSync(join(target, name), text);
}
const config = {
  architectures: ['BertModel'],
  hidden_act: 'gelu',
  hidden_size: shape.hidden,
  intermediate_size: shape.intermediate,
  layer_norm_eps: 1e-12,
  max_position_embeddings: shape.positions,
  model_type: 'bert',
  num_attention_heads: shape.heads,
  num_hidden_layers: shape.layers,
  pad_token_id: 0,
  position_embedding_type: 'absolute',
  torch_dtype: 'float16',
  type_vocab_size: 2,
  vocab_size: shape.vocabularySize,
};
writeFileSync(join(target, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
const pooling = {
  word_embedding_dimension: shape.hidden,
  pooling_mode_cls_token: false,
  pooling_mode_mean_tokens: true,
};
writeFileSync(join(target, '1_Pooling', 'config.json'), `${JSON.stringify(pooling, null, 2)}\n`);
console.log(shape, `${(weights.byteLength / 1e6).toFixed(2)} MB of weights`);
