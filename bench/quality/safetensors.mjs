/** Reads safetensors files: a 64-bit length, a JSON header, then the tensors' bytes, little-endian. */
import { readFileSync } from 'node:fs';

/**
 * @param {string} path
 * @returns {Map<string, { name: string, dims: number[], values: Float32Array }>} all tensors as fp32
 * @throws Error for a dtype other than F32, F16 and BF16
 */
export function readSafetensors(path) {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes));
  const tensors = new Map();
  for (const [name, tensor] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = tensor.data_offsets.map((/** @type {number} */ offset) => 8 + headerBytes + offset);
    const width = { F32: 4, F16: 2, BF16: 2 }[/** @type {string} */ (tensor.dtype)];
    if (width === undefined) {
      // Old exports carry the positions as integers; nobody needs them.
      if (name.endsWith('position_ids')) continue;
      throw new Error(`${path}: ${name} is ${tensor.dtype}; only F32, F16 and BF16 are read`);
    }
    const values = new Float32Array((end - begin) / width);
    for (let i = 0; i < values.length; i++) values[i] = valueAt(file, begin + i * width, tensor.dtype);
    tensors.set(name, { name, dims: tensor.shape, values });
  }
  return tensors;
}

const bits = new DataView(new ArrayBuffer(4));

/** @param {Buffer} file @param {number} at @param {'F32' | 'F16' | 'BF16'} dtype */
function valueAt(file, at, dtype) {
  if (dtype === 'F32') return file.readFloatLE(at);
  const half = file.readUInt16LE(at);
  if (dtype === 'BF16') {
    bits.setUint32(0, half << 16);
    return bits.getFloat32(0);
  }
  return fromHalf(half);
}

/** @param {number} half the bits of an IEEE 754 binary16 */
function fromHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
