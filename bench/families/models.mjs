/**
 * The models people use, at their real shapes: layers, widths, heads and positions as their config.json says. Weights are
 * pseudo-random, and the vocabulary is that of the tiny model beside the repository whose tokenizer is taken: of the table
 * of words a text reads a few rows, however long it is.
 *
 * @import { Size } from './grow.mjs'
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromDist } from '../model.mjs';
import { growGraph } from './grow.mjs';
import { readGraph } from './onnx-graph.mjs';
import { onnxFile, safetensorsFile, valuesOf } from './weights.mjs';

/** Tiny models of each family, with their exported graphs; absent from most checkouts. */
export const families = fileURLToPath(new URL('../../../shared/models/families/', import.meta.url));

/**
 * @typedef {object} FamilyModel
 * @property {string} name
 * @property {'embed' | 'rerank' | 'static'} task static: a table of token vectors, as model2vec writes it
 * @property {'mean' | 'cls'} pooling
 * @property {string} family the folder of the tiny model, for its tokenizer, and unless `isBert` its graph
 * @property {boolean} [isBert] the graph is the fixture's, of the library
 * @property {Size} size of a static model only `hidden`, the length of its vectors
 * @property {object} [config] what config.json says besides
 * @property {number} maxTokens
 * @property {(layer: number) => number} [template] which layer of the tiny model a layer is like; default: the first the
 *   first, the last the last, the others the second
 * @property {Case[]} cases
 *
 * @typedef {{ name: string, texts: number, tokens?: number }} Case texts of a corpus, or each of `tokens` tokens
 */

/** Tokens of potion-base-8M. */
const potionRows = 29_528;

const base = { hidden: 768, heads: 12, layers: 12, intermediate: 3072 };
const mixed = (/** @type {number} */ texts) => [{ name: 'mixed', texts }];

/** @type {FamilyModel[]} */
export const familyModels = [
  {
    name: 'multilingual-e5-small',
    task: 'embed',
    pooling: 'mean',
    family: 'xlm-roberta',
    isBert: true,
    size: { hidden: 384, heads: 12, layers: 12, intermediate: 1536, positions: 512 },
    maxTokens: 512,
    cases: mixed(64),
  },
  {
    name: 'all-mpnet-base-v2',
    task: 'embed',
    pooling: 'mean',
    family: 'mpnet',
    size: { ...base, positions: 514 },
    maxTokens: 512,
    cases: mixed(24),
  },
  {
    name: 'gte-modernbert-base',
    task: 'embed',
    pooling: 'cls',
    family: 'modernbert',
    size: { ...base, layers: 22, intermediate: 1152 },
    config: {
      layer_types: Array.from({ length: 22 }, (_, layer) => (layer % 3 === 0 ? 'full_attention' : 'sliding_attention')),
    },
    maxTokens: 8192,
    // The first layer has no norm; of the others the tiny model has two local ones, the first of which makes what all
    // local ones share, and a global one.
    template: (layer) => (layer === 0 ? 0 : layer === 1 ? 1 : layer % 3 === 0 ? 3 : 2),
    cases: [
      { name: '512 tokens', texts: 4, tokens: 512 },
      { name: '2,048 tokens', texts: 1, tokens: 2048 },
      { name: '8,192 tokens', texts: 1, tokens: 8192 },
    ],
  },
  {
    name: 'bge-reranker-base',
    task: 'rerank',
    pooling: 'cls',
    family: 'xlm-roberta-reranker',
    size: { ...base, positions: 514 },
    maxTokens: 512,
    cases: mixed(24),
  },
  {
    name: 'ms-marco-MiniLM-L6',
    task: 'rerank',
    pooling: 'cls',
    family: 'bert-reranker',
    size: { hidden: 384, heads: 12, layers: 6, intermediate: 1536, positions: 512 },
    maxTokens: 512,
    cases: mixed(96),
  },
  {
    name: 'potion-base-8M',
    task: 'static',
    pooling: 'mean',
    family: 'distilbert',
    size: { hidden: 256, heads: 0, layers: 0, intermediate: 0 },
    maxTokens: 512,
    cases: [
      { name: 'queries', texts: 2000 },
      { name: 'mixed', texts: 1800 },
    ],
  },
];

/**
 * Writes the model: config, tokenizer, model.safetensors, onnx/model.onnx and onnx/model_quantized.onnx.
 *
 * @param {string} directory
 * @param {Omit<FamilyModel, 'cases' | 'name'>} model
 */
export async function writeFamilyModel(directory, { family, isBert, task, size, config, maxTokens, template }) {
  const tiny = join(families, family);
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(tiny, name), 'utf8'));
  const write = (/** @type {string} */ name, /** @type {object | Uint8Array} */ content) =>
    writeFileSync(join(directory, name), content instanceof Uint8Array ? content : JSON.stringify(content, null, 1));
  mkdirSync(join(directory, 'onnx'), { recursive: true });
  mkdirSync(join(directory, '1_Pooling'), { recursive: true });
  const of = read('config.json');
  const sizes = {
    hidden_size: size.hidden,
    num_attention_heads: size.heads,
    num_hidden_layers: size.layers,
    intermediate_size: size.intermediate,
    max_position_embeddings: size.positions ?? maxTokens,
  };
  write('tokenizer.json', read('tokenizer.json'));
  write('tokenizer_config.json', { ...read('tokenizer_config.json'), model_max_length: maxTokens });
  if (task === 'static') {
    const { safetensors } = await fromDist('models/fixture/safetensors.js');
    // As many rows as the real one has, so that as many of them share the caches.
    const table = { name: 'embeddings', dims: [potionRows, size.hidden] };
    const values = valuesOf(/** @type {any} */ (table));
    write('config.json', {
      model_type: 'model2vec',
      architectures: ['StaticModel'],
      hidden_dim: size.hidden,
      normalize: true,
    });
    write('model.safetensors', safetensors([{ ...table, values }], {}));
    return;
  }
  if (task === 'embed') write('1_Pooling/config.json', read('1_Pooling/config.json'));
  if (isBert) {
    const { bertModel, layerNormEpsilon } = await fromDist('models/fixture/bert-graph.js');
    const { fixtureParameters } = await fromDist('models/fixture/parameters.js');
    const { safetensors } = await fromDist('models/fixture/safetensors.js');
    const shape = { ...size, vocabularySize: of.vocab_size };
    const parameters = fixtureParameters(shape);
    const bert = { model_type: 'bert', architectures: ['BertModel'], type_vocab_size: 2, hidden_act: 'gelu' };
    write('config.json', {
      ...bert,
      ...sizes,
      vocab_size: of.vocab_size,
      pad_token_id: 1,
      layer_norm_eps: layerNormEpsilon,
    });
    write('onnx/model.onnx', bertModel(shape, parameters, 'fp32'));
    write('onnx/model_quantized.onnx', bertModel(shape, parameters, 'int8'));
    write('model.safetensors', safetensors(parameters.values(), { format: 'pt' }));
    return;
  }
  write('config.json', { ...of, ...sizes, ...config });
  const from = {
    hidden: of.hidden_size,
    heads: of.num_attention_heads,
    layers: of.num_hidden_layers,
    intermediate: of.intermediate_size,
    positions: of.max_position_embeddings,
  };
  const last = size.layers - 1;
  const like = template ?? ((/** @type {number} */ layer) => (layer === last ? from.layers - 1 : Math.min(layer, 1)));
  const graph = growGraph(readGraph(readFileSync(join(tiny, 'onnx', 'model.onnx'))), from, size, like);
  write('onnx/model.onnx', onnxFile(graph, 'fp32'));
  write('onnx/model_quantized.onnx', onnxFile(graph, 'int8'));
  write('model.safetensors', safetensorsFile(graph));
}
