/** Embeddings as JSON, JSON lines, CSV and NumPy's .npy, in pieces, so that no format holds a whole result in memory. */
import type { DocumentChunk } from '../../embedding/embed-document.js';
import type { Embeddings } from '../../vectors/embeddings.js';

export const formatNames = ['json', 'jsonl', 'csv', 'npy'] as const;
export type FormatName = (typeof formatNames)[number];

/** One result in the making. */
export interface VectorFormat {
  /** What comes before the first row. */
  head(): string | Uint8Array;
  /** One piece per text, in order; where the texts are chunks, with where they are from, if the format has a place for it. */
  texts(embeddings: Embeddings, chunks?: readonly DocumentChunk[]): Iterable<string | Uint8Array>;
  /** What comes behind the last row. */
  tail(): string;
  /** For formats whose head names the number of rows: the head as it should have been. */
  patch?(): Uint8Array;
}

export interface FormatOptions {
  readonly dimensions: number;
  /** Each text has a vector for each of its tokens; json and jsonl nest them, the others have no such form. */
  readonly perToken: boolean;
  /** Texts that are written already, by a run before this one. @default 0 */
  readonly textsBefore?: number;
}

export function vectorFormat(name: FormatName, { dimensions, perToken, textsBefore = 0 }: FormatOptions): VectorFormat {
  switch (name) {
    case 'json':
      return json(perToken, textsBefore);
    case 'jsonl':
      return jsonLines(perToken, textsBefore);
    case 'csv':
      return csv();
    case 'npy':
      return npy(dimensions, textsBefore);
  }
}

/** An array with an element per text: its vector, of a chunk an object with it. */
function json(perToken: boolean, textsBefore: number): VectorFormat {
  let isFirst = textsBefore === 0;
  return {
    head: () => '[',
    *texts(embeddings, chunks) {
      let i = 0;
      for (const embedding of vectorsByText(embeddings, perToken)) {
        const chunk = chunks?.[i++];
        const element = chunk === undefined ? embedding : { ...placeOf(chunk), embedding };
        yield `${isFirst ? '\n' : ',\n'}${JSON.stringify(element)}`;
        isFirst = false;
      }
    },
    tail: () => (isFirst ? ']\n' : '\n]\n'),
  };
}

/** A line per text: its number from 0, how many tokens it had, whether it was cut or of a chunk where it is from, its vector. */
function jsonLines(perToken: boolean, textsBefore: number): VectorFormat {
  let index = textsBefore;
  return {
    head: () => '',
    *texts(embeddings, chunks) {
      let i = 0;
      for (const embedding of vectorsByText(embeddings, perToken)) {
        const chunk = chunks?.[i];
        const about =
          chunk === undefined ? { tokens: embeddings.tokens[i], truncated: embeddings.truncated[i] } : placeOf(chunk);
        yield `${JSON.stringify({ index, ...about, embedding })}\n`;
        i++;
        index++;
      }
    },
    tail: () => '',
  };
}

/**
 * A line per text: its values and nothing else, as numpy.loadtxt and pandas.read_csv(header=None) take it; of a chunk,
 * before them, where it is from.
 */
function csv(): VectorFormat {
  return {
    head: () => '',
    *texts(embeddings, chunks) {
      let i = 0;
      for (const row of embeddings) {
        const chunk = chunks?.[i++];
        yield `${chunk === undefined ? '' : `${csvPlace(chunk)},`}${row.join(',')}\n`;
      }
    },
    tail: () => '',
  };
}

type Place = Omit<DocumentChunk, 'text'>;

function placeOf({ document, start, end, tokens, headings }: Place): Place {
  return { document, start, end, tokens, ...(headings === undefined ? {} : { headings }) };
}

/** Headings as JSON in one field: quoted, its quotes doubled. */
function csvPlace({ document, start, end, tokens, headings }: Place): string {
  const numbers = `${document},${start},${end},${tokens}`;
  return headings === undefined ? numbers : `${numbers},"${JSON.stringify(headings).replaceAll('"', '""')}"`;
}

/** NumPy's format, version 1.0: a float32 matrix of texts × dimensions in C order. Has no place for anything else. */
function npy(dimensions: number, textsBefore: number): VectorFormat {
  let rows = textsBefore;
  return {
    head: () => npyHeader(0, dimensions),
    *texts(embeddings) {
      rows += embeddings.rows;
      yield littleEndianBytes(embeddings.data);
    },
    tail: () => '',
    patch: () => npyHeader(rows, dimensions),
  };
}

/** Long enough for any number of rows, and a multiple of 64 as the format asks. */
const npyHeaderBytes = 128;

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
function npyHeader(rows: number, dimensions: number): Uint8Array {
  const header = Buffer.alloc(npyHeaderBytes, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(npyHeaderBytes - 10, 8);
  header.write(`{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${dimensions}), }`, 10, 'latin1');
  header.write('\n', npyHeaderBytes - 1, 'latin1');
  return header;
}

/** Every platform Node has prebuilt addons for is little-endian; s390x is not. */
function littleEndianBytes(values: Float32Array): Uint8Array {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? bytes : Buffer.from(bytes).swap32();
}

function* vectorsByText(embeddings: Embeddings, perToken: boolean): Iterable<number[] | number[][]> {
  let next = 0;
  for (const count of embeddings.tokens) {
    if (!perToken) yield Array.from(embeddings.at(next++));
    else {
      const first = next;
      next += count;
      yield Array.from({ length: count }, (_, i) => Array.from(embeddings.at(first + i)));
    }
  }
}
