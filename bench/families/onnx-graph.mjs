/** Reads the ONNX files that torch exports, as far as a graph of tensors goes. onnx.proto has the numbers of fields. */

/**
 * @typedef {{ name: string, type: number, dims: number[], data: Uint8Array }} Tensor raw little-endian bytes
 * @typedef {number | number[] | { float: number } | { tensor: Tensor }} Attribute as the fixture's writer takes them
 * @typedef {{ operator: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> }} Node
 * @typedef {{ nodes: Node[], initializers: Map<string, Tensor>, inputs: string[], outputs: string[], opset: number }} Graph
 */

/** Bytes of an element, by TensorProto.DataType. */
const elementBytes = { 1: 4, 6: 4, 7: 8, 9: 1 };

/**
 * The fields of a message: its number, and an integer, a float or bytes.
 *
 * @param {Buffer} message
 * @returns {Generator<[number, any]>}
 */
function* fields(message) {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    if ((tag & 7) === 0) yield [number, varint()];
    else if ((tag & 7) === 5) {
      yield [number, message.readFloatLE(at)];
      at += 4;
    } else if ((tag & 7) === 2) {
      const length = Number(varint());
      yield [number, message.subarray(at, at + length)];
      at += length;
    } else throw new Error(`a field of wire type ${tag & 7}`);
  }
}

/**
 * @param {Buffer} message
 * @returns {Tensor}
 */
function readTensor(message) {
  const tensor = { name: '', type: 0, dims: [], data: undefined };
  for (const [field, value] of fields(message)) {
    if (field === 1) tensor.dims.push(Number(value));
    else if (field === 2) tensor.type = Number(value);
    else if (field === 8) tensor.name = String(value);
    else if (field === 9) tensor.data = value;
  }
  const elements = tensor.dims.reduce((product, dim) => product * dim, 1);
  if (tensor.data?.length !== elements * elementBytes[tensor.type])
    throw new Error(`tensor '${tensor.name}' of type ${tensor.type} does not keep its elements as raw bytes`);
  return tensor;
}

/** @param {Buffer} message */
function readAttribute(message) {
  let name = '';
  let type = 0;
  const found = { float: 0, integer: 0, integers: [], tensor: undefined };
  for (const [field, value] of fields(message)) {
    if (field === 1) name = String(value);
    else if (field === 2) found.float = value;
    else if (field === 3) found.integer = Number(value);
    else if (field === 5) found.tensor = readTensor(value);
    else if (field === 8) found.integers.push(Number(value));
    else if (field === 20) type = Number(value);
  }
  const values = { 1: { float: found.float }, 2: found.integer, 4: { tensor: found.tensor }, 7: found.integers };
  if (!(type in values)) throw new Error(`attribute '${name}' is of type ${type}`);
  return { name, value: values[type] };
}

/**
 * @param {Buffer} file
 * @returns {Graph}
 */
export function readGraph(file) {
  /** @type {Graph} */
  const graph = { nodes: [], initializers: new Map(), inputs: [], outputs: [], opset: 0 };
  for (const [field, value] of fields(file)) {
    if (field === 8) for (const [part, version] of fields(value)) if (part === 2) graph.opset = Number(version);
    if (field !== 7) continue;
    for (const [part, message] of fields(value)) {
      if (part === 1) graph.nodes.push(readNode(message));
      else if (part === 5) {
        const tensor = readTensor(message);
        graph.initializers.set(tensor.name, tensor);
      } else if (part === 11) graph.inputs.push(nameOf(message));
      else if (part === 12) graph.outputs.push(nameOf(message));
    }
  }
  return graph;
}

/** @param {Buffer} message */
function readNode(message) {
  /** @type {Node} */
  const node = { operator: '', inputs: [], outputs: [], attributes: {} };
  for (const [field, value] of fields(message)) {
    if (field === 1) node.inputs.push(String(value));
    else if (field === 2) node.outputs.push(String(value));
    else if (field === 4) node.operator = String(value);
    else if (field === 5) {
      const { name, value: attribute } = readAttribute(value);
      node.attributes[name] = attribute;
    }
  }
  return node;
}

/** @param {Buffer} message of a ValueInfoProto */
function nameOf(message) {
  for (const [field, value] of fields(message)) if (field === 1) return String(value);
  return '';
}
