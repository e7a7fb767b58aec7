#!/usr/bin/env node
// Writes seeds for the targets in native/fuzz into a directory, one folder each: the fixture model at its smallest,
// and tokenizer inputs in the shape the target reads.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bertModel } from '../dist/models/fixture/bert-graph.js';
import { fixtureParameters } from '../dist/models/fixture/parameters.js';
import { safetensors } from '../dist/models/fixture/safetensors.js';

const corpus = process.argv[2];
if (corpus === undefined) {
  console.error('usage: fuzz-seeds.mjs DIRECTORY');
  process.exit(2);
}

/** @param {string} target @param {string} name @param {string | Uint8Array} content */
function seed(target, name, content) {
  mkdirSync(join(corpus, target), { recursive: true });
  writeFileSync(join(corpus, target, name), content);
}

const shape = { layers: 1, hidden: 32, heads: 1, intermediate: 32, positions: 4, vocabularySize: 8 };
const parameters = fixtureParameters(shape);
for (const precision of /** @type {const} */ (['fp32', 'fp16', 'int8']))
  seed('onnx', precision, bertModel(shape, parameters, precision));

const config = JSON.stringify({
  model_type: 'bert',
  vocab_size: shape.vocabularySize,
  max_position_embeddings: shape.positions,
  type_vocab_size: 2,
  hidden_size: shape.hidden,
  num_hidden_layers: shape.layers,
  num_attention_heads: shape.heads,
  intermediate_size: shape.intermediate,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
});
const weights = safetensors(parameters.values(), { format: 'pt' });
const configLength = Buffer.alloc(4);
configLength.writeUInt32LE(config.length);
seed('safetensors', 'model', Buffer.concat([configLength, Buffer.from(config), weights]));
seed('json', 'config', config);

// One layer of each other family, under its own names.
const numbers = (/** @type {number[]} */ ...dims) => ({
  dims,
  values: new Float32Array(dims.reduce((all, dim) => all * dim, 1)).fill(0.01),
});
/** @param {string} at @param {number} into @param {number} out @param {boolean} [biased] */
const linear = (at, into, out, biased = true) => ({
  [`${at}.weight`]: numbers(out, into),
  ...(biased ? { [`${at}.bias`]: numbers(out) } : {}),
});
/** @param {string} at @param {boolean} [biased] */
const norm = (at, biased = true) => ({
  [`${at}.weight`]: numbers(32),
  ...(biased ? { [`${at}.bias`]: numbers(32) } : {}),
});
const tables = { vocab_size: 8, max_position_embeddings: 6, pad_token_id: 1 };
const sizes = { hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 32 };
const embeddings = {
  'embeddings.word_embeddings.weight': numbers(8, 32),
  'embeddings.position_embeddings.weight': numbers(6, 32),
  ...norm('embeddings.LayerNorm'),
};
const feedForward = {
  ...linear('encoder.layer.0.intermediate.dense', 32, 32),
  ...linear('encoder.layer.0.output.dense', 32, 32),
  ...norm('encoder.layer.0.output.LayerNorm'),
};
const families = {
  mpnet: {
    config: { ...tables, ...sizes, relative_attention_num_buckets: 32 },
    tensors: {
      ...embeddings,
      ...feedForward,
      'encoder.relative_attention_bias.weight': numbers(32, 1),
      ...['q', 'k', 'v', 'o'].reduce(
        (all, name) => ({ ...all, ...linear(`encoder.layer.0.attention.attn.${name}`, 32, 32) }),
        {},
      ),
      ...norm('encoder.layer.0.attention.LayerNorm'),
    },
  },
  'xlm-roberta': {
    config: { ...tables, ...sizes, type_vocab_size: 1, architectures: ['XLMRobertaForSequenceClassification'] },
    tensors: {
      ...embeddings,
      ...feedForward,
      'embeddings.token_type_embeddings.weight': numbers(1, 32),
      ...['self.query', 'self.key', 'self.value', 'output.dense'].reduce(
        (all, name) => ({ ...all, ...linear(`encoder.layer.0.attention.${name}`, 32, 32) }),
        {},
      ),
      ...norm('encoder.layer.0.attention.output.LayerNorm'),
      ...linear('classifier.dense', 32, 32),
      ...linear('classifier.out_proj', 32, 1),
    },
  },
  distilbert: {
    config: { ...tables, dim: 32, n_layers: 1, n_heads: 1, hidden_dim: 32, activation: 'relu' },
    tensors: {
      ...embeddings,
      ...['attention.q_lin', 'attention.k_lin', 'attention.v_lin', 'attention.out_lin', 'ffn.lin1', 'ffn.lin2'].reduce(
        (all, name) => ({ ...all, ...linear(`transformer.layer.0.${name}`, 32, 32) }),
        {},
      ),
      ...norm('transformer.layer.0.sa_layer_norm'),
      ...norm('transformer.layer.0.output_layer_norm'),
    },
  },
  modernbert: {
    config: { ...tables, ...sizes, layer_types: ['full_attention'], local_attention: 4 },
    tensors: {
      'embeddings.tok_embeddings.weight': numbers(8, 32),
      ...norm('embeddings.norm', false),
      ...norm('final_norm', false),
      ...norm('layers.0.mlp_norm', false),
      ...linear('layers.0.attn.Wqkv', 32, 96, false),
      ...linear('layers.0.attn.Wo', 32, 32, false),
      ...linear('layers.0.mlp.Wi', 32, 64, false),
      ...linear('layers.0.mlp.Wo', 32, 32, false),
    },
  },
};
for (const [type, family] of Object.entries(families)) {
  const text = JSON.stringify({ model_type: type, ...family.config });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const tensors = Object.entries(family.tensors).map(([name, tensor]) => ({ name, ...tensor }));
  seed('safetensors', type, Buffer.concat([length, Buffer.from(text), safetensors(tensors, { format: 'pt' })]));
  seed('json', `config-${type}`, text);
}
seed(
  'json',
  'header',
  weights.subarray(8, 8 + Number(new DataView(weights.buffer, weights.byteOffset).getBigUint64(0, true))),
);
seed('json', 'values', '[1,-2.5e-1,true,false,null,"a\\n\\ud83d\\ude00\\"",{},[[]],{"a":{"b":0}}]');

// Every style of graph as it is, and with a few changes.
for (let style = 0; style < 128; style++) {
  seed('graph', `style-${style}`, Buffer.of(style));
  const changes = Array.from({ length: 40 }, (_, i) => (style * 37 + i * 101) % 251);
  seed('graph', `changed-${style}`, Buffer.of(style, ...changes));
}

/** Words whole and as pieces; `shape` is the token's length, and 128 for a continuing piece. */
const vocabulary = ['un', 'run', 'a', 'b', 'ab', '中', 'é', 'e', ',', '['].map((token) => ({
  token,
  continuing: false,
}));
vocabulary.push(...['aff', 'able', 'ning', 'a', 'b', 'bc', '\u302e'].map((token) => ({ token, continuing: true })));
const tokens = vocabulary.flatMap(({ token, continuing }) => {
  const bytes = Buffer.from(token);
  return [Buffer.of(bytes.length | (continuing ? 128 : 0)), bytes];
});
const added = [
  { content: '[MASK]', rules: 128 },
  { content: 'ab', rules: 8 },
  { content: ' x', rules: 16 | 32 },
  { content: 'É', rules: 64 },
].map(({ content, rules }) => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.of((rules & ~7) | ((bytes.length - 1) % 6)), bytes]);
});
const texts = [
  'Unaffable running, un[MASK]run',
  'É é e\u0301 한국어 中文 İSTANBUL ﬁ',
  'a'.repeat(99) + ' ' + 'a'.repeat(100) + ' ' + 'ab'.repeat(51),
  'a\u302e\u{1d165}\u0301b ' + '\u0301'.repeat(200),
  'ab abx xab [MASK][MASK]  x  x',
  '\u3000 \u00a0\t\r\n\u0000\u0001\u007f\u200b\ufeff',
  'run '.repeat(700),
].map((text) => Buffer.from(text));
texts.push(Buffer.from([0xff, 0x61, 0xe4, 0xb8, 0x20, 0xf0, 0x9f, 0x61, 0xed, 0xa0, 0x80, 0x62]));

let count = 0;
for (let switches = 0; switches < 16; switches++)
  for (const text of texts)
    for (const kept of [0, added.length])
      seed(
        'tokenizer',
        `seed-${count++}`,
        Buffer.concat([
          Buffer.of(switches, vocabulary.length),
          ...tokens,
          Buffer.of(kept),
          ...added.slice(0, kept),
          Buffer.of(count % 256),
          text,
        ]),
      );

// The stages and models of other tokenizers, in the shape pipeline_fuzz.cpp reads.
const models = { wordPiece: 0, unigram: 1, bpe: 2 };
/** A character map of SentencePiece: the units of a double array, and the replacement that it leads to. */
const characterMap = (/** @type {number[]} */ units, /** @type {string} */ replacement) => {
  const head = Buffer.alloc(4 + units.length * 4);
  head.writeUInt32LE(units.length * 4);
  units.forEach((unit, i) => head.writeUInt32LE(unit, 4 + i * 4));
  return Buffer.concat([head, Buffer.from(`${replacement}\0`)]);
};
const leaf = 1 << 8;
const maps = [
  // A to "a": from the root over 0x40 to unit 1, and over 3 to the value in unit 2.
  characterMap([0x40 << 10, (3 << 10) | leaf | 0x41, 0], 'a'),
  // The two bytes of é to "e": units 3 and 2, the value in unit 4.
  characterMap([0xc0 << 10, 0, (6 << 10) | leaf | 0xa9, (0xa8 << 10) | 0xc3, 0], 'e'),
];
const step = (/** @type {number} */ kind, options = 0, /** @type {(Uint8Array | string)[]} */ ...more) =>
  Buffer.concat([Buffer.of(kind, options), ...more.map((each) => Buffer.from(each))]);
const spaces = Buffer.of(4, 0x20, 0x0a);
const precompiled = maps.map((map) => step(11, 0, Buffer.of(map.length), map));
const stages = [
  { normalizers: [], preTokenizers: [] },
  { normalizers: [], preTokenizers: [step(2)] },
  { normalizers: [precompiled[0]], preTokenizers: [step(2), step(8, 65)] },
  { normalizers: [precompiled[1], step(7)], preTokenizers: [step(8, 64 | 8)] },
  { normalizers: [step(1)], preTokenizers: [step(7, 64)] },
  { normalizers: [step(3), step(5)], preTokenizers: [step(6, 16), step(7)] },
  { normalizers: [step(0, 15)], preTokenizers: [step(0)] },
  { normalizers: [step(2), step(6)], preTokenizers: [step(1), step(4, 1)] },
  { normalizers: [step(9, 64, '_'), step(8, 64, spaces, '_')], preTokenizers: [step(5, 3, spaces)] },
  { normalizers: [step(10, 3), step(4)], preTokenizers: [step(3, 2), step(4), step(7, 128 | 64)] },
].map(({ normalizers, preTokenizers }) => ({
  counts: [normalizers.length, preTokenizers.length],
  steps: Buffer.concat([...normalizers, ...preTokenizers]),
}));
const pieces = ['<unk>', 'a', 'b', 'e', 'é', '中', 'un', 'run', '▁', '▁a', 'ab', 'Ġ', '<0xF0>', 'İ', ',', '_'].flatMap(
  (token, i) => [Buffer.of(Buffer.byteLength(token) - 1), Buffer.from(token), Buffer.of((i * 37) % 64)],
);
// a b, ab a, e é: by the places of their tokens, and of those made before.
const rules = Buffer.of(3, 1, 2, 10, 1, 3, 4);

count = 0;
for (const model of Object.values(models))
  for (const { counts, steps } of stages)
    for (const text of texts) {
      const [normalizers, preTokenizers] = counts;
      const kinds = normalizers * 4 + preTokenizers * 16;
      const kept = count % 2 ? added.length - 1 : 0;
      seed(
        'pipeline',
        `seed-${count++}`,
        Buffer.concat([
          Buffer.of(kinds + ((model + 3 - (kinds % 3)) % 3), count % 64),
          steps,
          Buffer.of(pieces.length / 3 - 1),
          ...pieces,
          ...(model === models.bpe ? [rules] : []),
          Buffer.of(kept),
          ...added.slice(0, kept),
          Buffer.of(count % 256),
          text,
        ]),
      );
    }
