/** Pseudo-random weights for a graph that has none, and the files that hold both. */
import { fromDist } from '../model.mjs';

/**
 * @import { Graph, Tensor } from './onnx-graph.mjs'
 */

const { DataType, GraphBuilder } = await fromDist('models/fixture/onnx.js');
const { quantizeColumns, quantizeTensor } = await fromDist('models/fixture/precision.js');
const { safetensors } = await fromDist('models/fixture/safetensors.js');

/**
 * The same numbers every time, as large as keeps activations in range. Matrices of products are [in, out] where the
 * exporter has transposed them.
 *
 * @param {Tensor} tensor
 */
export function valuesOf({ name, dims }) {
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  const isNorm = /norm/i.test(name) && name.endsWith('weight');
  const inputs = name.startsWith('onnx::') ? dims[0] : dims.at(-1);
  const spread = isNorm ? 0.1 : dims.length === 1 ? 0.02 : /embedding/.test(name) ? 0.5 : 1.2 / Math.sqrt(inputs);
  let state = 2166136261;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 16777619) | 1;
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // Uniform, with this standard deviation.
    values[i] = (state / 2 ** 31) * spread * 1.7320508 + (isNorm ? 1 : 0);
  }
  return values;
}

/**
 * The bytes of an .onnx file. In int8 as ONNX Runtime's dynamic quantizer leaves a graph: products with weights of 8 bits, a
 * scale for each column, of activations that are quantised as they come, and tables dequantised after the lookup.
 *
 * @param {Graph} graph
 * @param {'fp32' | 'int8'} precision
 */
export function onnxFile(graph, precision) {
  const builder = new GraphBuilder();
  const bytes = (/** @type {Float32Array | Uint8Array} */ values) =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const plain = (/** @type {string} */ name) => {
    const tensor = graph.initializers.get(name);
    if (tensor === undefined) return name;
    return builder.initializer(name, () => ({
      type: DataType.float,
      dims: tensor.dims,
      data: bytes(valuesOf(tensor)),
    }));
  };
  const quantized = new Set();
  for (const { operator, inputs, outputs, attributes } of graph.nodes) {
    const [output] = outputs;
    const weight = graph.initializers.get(operator === 'Gather' ? inputs[0] : inputs[1]);
    const isProduct = operator === 'MatMul' && weight !== undefined;
    // The quantizer leaves the small table of relative positions as it is.
    const isLookup = operator === 'Gather' && weight !== undefined && weight.dims[1] > 64;
    if (precision === 'fp32' || !(isProduct || isLookup)) {
      builder.node(output, operator, inputs.map(plain), attributes, outputs);
      continue;
    }
    const values = valuesOf(weight);
    const {
      bytes: data,
      scales,
      zeroPoints,
    } = isProduct ? quantizeColumns(values, weight.dims[1]) : quantizeTensor(values);
    const listed = isProduct ? [weight.dims[1]] : [];
    const stored = isProduct ? DataType.int8 : DataType.uint8;
    const table = builder.initializer(`${weight.name}_quantized`, () => ({ type: stored, dims: weight.dims, data }));
    const scale = builder.initializer(`${weight.name}_scale`, () => ({
      type: DataType.float,
      dims: listed,
      data: bytes(scales),
    }));
    const zero = builder.initializer(`${weight.name}_zero_point`, () => ({
      type: stored,
      dims: listed,
      data: zeroPoints,
    }));
    if (isLookup) {
      const row = builder.node(`${output}_quant`, 'Gather', [table, inputs[1]], attributes);
      builder.node(output, 'DequantizeLinear', [row, scale, zero], {}, outputs);
      continue;
    }
    const [input] = inputs;
    const parts = ['quantized', 'scale', 'zero_point'].map((part) => `${input}_${part}`);
    if (!quantized.has(input)) builder.node(`${input}_QuantizeLinear`, 'DynamicQuantizeLinear', [input], {}, parts);
    quantized.add(input);
    const scalesOfBoth = builder.node(`${output}_scales`, 'Mul', [parts[1], scale]);
    const integers = builder.node(`${output}_integers`, 'MatMulInteger', [parts[0], table, parts[2], zero]);
    const floats = builder.node(`${output}_cast`, 'Cast', [integers], { to: DataType.float });
    builder.node(output, 'Mul', [floats, scalesOfBoth], {}, outputs);
  }
  const dims = ['batch_size', 'sequence_length'];
  return builder.finish(
    graph.inputs.map((name) => ({ name, type: DataType.int64, dims })),
    graph.outputs.map((name) => ({
      name,
      type: DataType.float,
      dims: name === 'logits' ? ['batch_size', 1] : [...dims, 'hidden'],
    })),
    {
      opset: graph.opset,
      irVersion: 8,
      producer: 'gteway.bench',
      producerVersion: '1',
      documentation: 'Pseudo-random weights.',
    },
  );
}

/**
 * The same weights under the names that transformers gives them.
 *
 * @param {Graph} graph
 */
export function safetensorsFile(graph) {
  const parameters = [];
  for (const { operator, inputs, outputs } of graph.nodes) {
    for (const name of inputs) {
      const tensor = graph.initializers.get(name);
      if (tensor === undefined || parameters.some((parameter) => parameter.from === name)) continue;
      const isNamed = !name.startsWith('onnx::');
      if (!isNamed && operator !== 'MatMul') throw new Error(`${name} is the weight of a ${operator}`);
      const { dims } = tensor;
      parameters.push({
        from: name,
        name: isNamed ? name.replace(/^m\./, '') : `${moduleOf(outputs[0])}.weight`,
        dims: isNamed ? dims : [dims[1], dims[0]],
        values: isNamed ? valuesOf(tensor) : transposed(valuesOf(tensor), dims[1]),
      });
    }
  }
  return safetensors(
    parameters,
    { format: 'pt' },
    {
      dtype: 'F32',
      bytes: (/** @type {Float32Array} */ values) => new Uint8Array(values.buffer),
    },
  );
}

/** `/m/layers.1/attn/Wo/MatMul_output_0` → `layers.1.attn.Wo` */
function moduleOf(/** @type {string} */ output) {
  return output.split('/').slice(2, -1).join('.');
}

/**
 * @param {Float32Array} values [rows, columns]
 * @param {number} columns
 */
function transposed(values, columns) {
  const out = new Float32Array(values.length);
  const rows = values.length / columns;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column];
  return out;
}
