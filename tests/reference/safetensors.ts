/** Reads the float32 tensors of a safetensors file. https://github.com/huggingface/safetensors#format */
import { readFileSync } from 'node:fs';

export interface ReferenceTensor {
  shape: readonly number[];
  /** Row-major. */
  data: Float64Array;
}

export function readSafetensors(path: string): Map<string, ReferenceTensor> {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, ReferenceTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (entry.dtype !== 'F32') throw new Error(`${path}: ${name} is ${entry.dtype}, not F32`);
    const [begin, end] = entry.data_offsets;
    const data = new Float64Array((end - begin) / 4);
    for (let i = 0; i < data.length; i++) data[i] = file.readFloatLE(8 + headerBytes + begin + 4 * i);
    tensors.set(name, { shape: entry.shape, data });
  }
  return tensors;
}
