/** Reads what `gteway embed` writes: a .npy file, or JSON lines with an `embedding` each. */
import { endianness } from 'node:os';
import { extname } from 'node:path';
import { CommandError, UsageError } from '../failure.js';
import { byteSource, counting, linesOf } from '../input.js';

export interface VectorFile {
  /** rows × dimensions, in shared memory: a search reads it in place. */
  readonly data: Float32Array;
  readonly rows: number;
  /** 0 where there are no rows. */
  readonly dimensions: number;
  /** One per row, where the file has them. */
  readonly texts: readonly string[] | undefined;
}

export async function readVectors(file: string): Promise<VectorFile> {
  const extension = extname(file).toLowerCase();
  if (extension === '.npy') return readNpy(file);
  if (extension === '.jsonl' || extension === '.ndjson') return readJsonLines(file);
  throw new UsageError(`${file}: vectors are read from .npy and .jsonl; gteway embed --output writes both`);
}

async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  yield* counting(await byteSource(file), () => undefined);
}

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, of float32 matrices. */
async function readNpy(file: string): Promise<VectorFile> {
  let head = Buffer.alloc(0);
  let matrix: VectorFile | undefined;
  let bytes: Uint8Array = new Uint8Array();
  let at = 0;
  for await (const chunk of bytesOf(file)) {
    let values = chunk;
    if (matrix === undefined) {
      head = Buffer.concat([head, chunk]);
      const length = npyHeadLength(file, head);
      if (length === undefined || head.length < length) continue;
      matrix = npyMatrix(file, head.toString('latin1', 10, length));
      bytes = new Uint8Array(matrix.data.buffer);
      values = head.subarray(length);
    }
    if (at + values.length > bytes.length) throw unlikeItsHead(file, matrix);
    bytes.set(values, at);
    at += values.length;
  }
  if (matrix === undefined) throw new CommandError(`${file} ends before the head of a .npy file does`);
  if (at !== bytes.length) throw unlikeItsHead(file, matrix);
  if (endianness() === 'BE') Buffer.from(matrix.data.buffer).swap32();
  return matrix;
}

function unlikeItsHead(file: string, { rows, dimensions }: VectorFile): CommandError {
  return new CommandError(`${file} is not as long as its head says: ${rows} rows of ${dimensions} values`);
}

/** Undefined while too few bytes are there to know. */
function npyHeadLength(file: string, head: Buffer): number | undefined {
  if (head.length < 12) return undefined;
  if (head.toString('latin1', 0, 6) !== '\x93NUMPY') throw new CommandError(`${file} is no .npy file`);
  return head[6] === 1 ? 10 + head.readUInt16LE(8) : 12 + head.readUInt32LE(8);
}

function npyMatrix(file: string, head: string): VectorFile {
  const [, rows, dimensions] = /'shape': *\((\d+), *(\d+),?\)/.exec(head) ?? [];
  if (!head.includes("'<f4'") || !/'fortran_order': *False/.test(head) || dimensions === undefined) {
    throw new CommandError(`${file} is no matrix of little-endian float32 in C order, as gteway embed writes it`);
  }
  return { ...emptyMatrix(file, Number(rows), Number(dimensions)), texts: undefined };
}

function emptyMatrix(file: string, rows: number, dimensions: number): Omit<VectorFile, 'texts'> {
  try {
    return { data: new Float32Array(new SharedArrayBuffer(rows * dimensions * 4)), rows, dimensions };
  } catch (cause) {
    throw new CommandError(`${file}: no room for ${rows} vectors of ${dimensions} values in memory`, { cause });
  }
}

/** Rows as they come; their number is known at the end. */
async function readJsonLines(file: string): Promise<VectorFile> {
  const rows: Float32Array[] = [];
  const texts: string[] = [];
  for await (const { lines, number } of linesOf(bytesOf(file), file)) {
    for (const [i, line] of lines.entries()) {
      if (line.trim() === '') continue;
      const place = `${file}:${number + i}`;
      const { embedding, text } = vectorLine(line, place, rows[0]?.length);
      rows.push(embedding);
      if (text !== undefined) texts.push(text);
    }
  }
  const matrix = emptyMatrix(file, rows.length, rows[0]?.length ?? 0);
  for (const [i, row] of rows.entries()) matrix.data.set(row, i * matrix.dimensions);
  return { ...matrix, texts: texts.length === rows.length ? texts : undefined };
}

function vectorLine(
  line: string,
  place: string,
  dimensions: number | undefined,
): { embedding: Float32Array; text: string | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new CommandError(`${place}: this line is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const { embedding, text } = Object(value) as { embedding?: unknown; text?: unknown };
  const isVector = (list: unknown): list is number[] =>
    Array.isArray(list) && list.length > 0 && list.every((each) => typeof each === 'number');
  if (!isVector(embedding)) {
    throw new CommandError(
      `${place}: expected an object with a list of numbers as embedding, as gteway embed writes it`,
    );
  }
  if (dimensions !== undefined && embedding.length !== dimensions) {
    throw new CommandError(`${place}: the vector has ${embedding.length} values, those before it ${dimensions}`);
  }
  return { embedding: Float32Array.from(embedding), text: typeof text === 'string' ? text : undefined };
}
