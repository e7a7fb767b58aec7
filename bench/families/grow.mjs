/**
 * Makes a graph of a real model's size from the exported graph of a tiny one: the same nodes, more layers, wider tensors.
 * What is exported of a model depends on its sizes in no other way.
 *
 * @import { Graph, Node, Tensor } from './onnx-graph.mjs'
 *
 * @typedef {object} Size
 * @property {number} hidden
 * @property {number} heads
 * @property {number} layers
 * @property {number} intermediate
 * @property {number} [positions] rows of the table of positions, where there is one
 *
 * @typedef {(layer: number) => number} Template which of the tiny model's layers a layer is like; the last one is like the
 *   last, part of which may bear the name of the graph's output
 */

const float = 1;
const int64 = 7;

/** The layer in names such as `/m/encoder/layer.1/output/Add_output_0` and `m.layers.1.attn.Wo.weight`. */
const layerName = /((?:^|[./])layers?\.)(\d+)(?=[./])/;

/** @param {string} name */
function layerOf(name) {
  const found = layerName.exec(name);
  return found === null ? undefined : Number(found[2]);
}

/**
 * @param {string} name
 * @param {number} layer
 */
function inLayer(name, layer) {
  return name.replace(layerName, `$1${layer}`);
}

/**
 * Initializers come without data: only their names and sizes are those of the real model.
 *
 * @param {Graph} tiny
 * @param {Size} from of the tiny model
 * @param {Size} to
 * @param {Template} template
 * @returns {Graph}
 */
export function growGraph(tiny, from, to, template) {
  const last = from.layers - 1;
  if (template(to.layers - 1) !== last) throw new Error(`the last layer must be like the tiny model's layer ${last}`);
  /** @type {Node[][]} */
  const layers = Array.from({ length: from.layers }, () => []);
  /** @type {Node[]} */
  const before = [];
  /** @type {Node[]} */
  const behind = [];
  const ofLayers = new Set();
  for (const node of tiny.nodes) {
    const layer = layerOf(node.outputs[0]);
    const isBehind = layer === undefined && node.inputs.some((input) => ofLayers.has(input));
    (layer !== undefined ? layers[layer] : isBehind ? behind : before).push(node);
    if (layer !== undefined || isBehind) for (const output of node.outputs) ofLayers.add(output);
  }
  const resultOf = layers.map((nodes) => nodes.at(-1).outputs[0]);

  /** @type {Graph} */
  const grown = { ...tiny, nodes: [], initializers: new Map() };
  const sizes = new Map([
    [from.hidden, to.hidden],
    [3 * from.hidden, 3 * to.hidden],
    [2 * from.intermediate, 2 * to.intermediate],
    [from.intermediate, to.intermediate],
    ...(to.positions === undefined ? [] : [/** @type {[number, number]} */ ([from.positions, to.positions])]),
  ]);
  /**
   * @param {string} name in the tiny graph
   * @param {(name: string) => string} rename
   */
  const inputOf = (name, rename) => {
    const tensor = tiny.initializers.get(name);
    const renamed = rename(name);
    if (tensor !== undefined && !grown.initializers.has(renamed)) {
      if (tensor.type !== float) throw new Error(`the initializer ${name} is no float tensor`);
      // Only a bias on attention has a value for each head, and no other table a column for so few.
      const ofHeads = (/** @type {number} */ dim) => (name.includes('relative') && dim === from.heads ? to.heads : dim);
      const dims = tensor.dims.map((dim) => sizes.get(dim) ?? ofHeads(dim));
      grown.initializers.set(renamed, { ...tensor, name: renamed, dims, data: new Uint8Array(0) });
    }
    return renamed;
  };
  /**
   * @param {Node} node
   * @param {(name: string) => string} rename
   */
  const add = (node, rename) => {
    grown.nodes.push({
      ...node,
      inputs: node.inputs.map((input) => inputOf(input, rename)),
      outputs: node.outputs.map(rename),
      attributes: node.operator === 'Constant' ? resized(node.attributes, from, to) : node.attributes,
    });
  };

  for (const node of before) add(node, (name) => name);
  for (let layer = 0; layer < to.layers; layer++) {
    const like = template(layer);
    for (const node of layers[like]) {
      add(node, (name) => {
        const of = layerOf(name);
        if (of === like) return inLayer(name, layer);
        if (like > 0 && name === resultOf[like - 1]) return inLayer(resultOf[template(layer - 1)], layer - 1);
        // The exporter numbers weights that it has transposed, and names them after nothing.
        return tiny.initializers.has(name) && of === undefined ? `${name}@${layer}` : name;
      });
    }
  }
  for (const node of behind) {
    add(node, (name) => (layerOf(name) === last ? inLayer(name, to.layers - 1) : name));
  }
  return grown;
}

/**
 * A constant that holds a size of the model, or is computed from one.
 *
 * @param {Node['attributes']} attributes
 * @param {Size} from
 * @param {Size} to
 */
function resized(attributes, from, to) {
  const { tensor } = /** @type {{ tensor: Tensor }} */ (attributes.value);
  const head = (/** @type {Size} */ { hidden, heads }) => hidden / heads;
  const same = { value: { tensor } };
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  if (tensor.type === int64 && tensor.dims.length === 1 && tensor.dims[0] === 1) {
    const value = Number(view.getBigInt64(0, true));
    const size = value === from.hidden ? to.hidden : value === head(from) ? head(to) : undefined;
    if (size === undefined) return same;
    return { value: { tensor: { ...tensor, data: new Uint8Array(BigInt64Array.of(BigInt(size)).buffer) } } };
  }
  if (tensor.type !== float) return same;
  const floats = (/** @type {number[]} */ dims, /** @type {Float32Array} */ values) => ({
    value: { tensor: { ...tensor, dims, data: new Uint8Array(values.buffer) } },
  });
  if (tensor.dims.length === 0) {
    const value = view.getFloat32(0, true);
    const root = [0.5, -0.5].find((power) => Math.abs(value / head(from) ** power - 1) < 1e-6);
    return root === undefined ? same : floats([], Float32Array.of(head(to) ** root));
  }
  // Norms without a bias have one of zeros.
  if (tensor.dims.length === 1 && tensor.dims[0] === from.hidden)
    return floats([to.hidden], new Float32Array(to.hidden));
  // How fast each pair of a head's values turns with the position.
  if (tensor.dims.length === 3 && tensor.dims[1] === head(from) / 2) {
    const base = view.getFloat32(4, true) ** (-head(from) / 2);
    const half = head(to) / 2;
    return floats(
      [1, half, 1],
      Float32Array.from({ length: half }, (_, i) => base ** (-i / half)),
    );
  }
  return same;
}
