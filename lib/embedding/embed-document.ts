/** `session.embedDocument`: texts of any length, cut into chunks that fit the model, and a vector for each or for all. */
import { setImmediate as pause } from 'node:timers/promises';
import { show } from '../arguments/show.js';
import { withDeadline } from '../cancellation/deadline.js';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { type Chunk, type ChunkOptions, chunkOptionNames } from '../documents/chunk-options.js';
import { GtewayError } from '../errors.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { Embeddings } from '../vectors/embeddings.js';
import { checkEmbedOptions, checkTexts, embedOptionNames, type EmbedOptions } from './embed-options.js';
import type { EmbeddingSession } from './embedding-session.js';

/** Options of `session.embedDocument`: how to cut, and those of `embed` but for `truncate`, which nothing needs here. */
export interface EmbedDocumentOptions extends ChunkOptions, Omit<EmbedOptions, 'truncate' | 'pooling'> {
  /** How token vectors become a row. @default what the model was trained with */
  pooling?: 'mean' | 'cls';
  /**
   * `'chunk'`: a row for each chunk. `'document'`: one for each text, the mean of its chunks' rows weighted by their tokens
   * and, unless `normalize` is false, scaled to length 1; an empty text gets the row that `embed` gives it.
   * @default 'chunk'
   */
  per?: 'chunk' | 'document';
}

/** A chunk, and which text it is of. */
export interface DocumentChunk extends Chunk {
  /** The text's place among those given; 0 for a single one. */
  readonly document: number;
}

/** What `session.embedDocument` returns. */
export interface EmbeddedDocument {
  /** Of all texts, in their order. */
  readonly chunks: readonly DocumentChunk[];
  /** A row for each of `chunks`, or with `per: 'document'` for each text. */
  readonly embeddings: Embeddings;
}

export const embedDocumentOptionNames = [
  ...chunkOptionNames,
  ...embedOptionNames.filter((name) => name !== 'truncate'),
  'per',
] as const;

const where = 'session.embedDocument()';

export async function embedDocument(
  session: EmbeddingSession,
  texts: string | readonly string[],
  options: EmbedDocumentOptions = {},
): Promise<EmbeddedDocument> {
  const list = checkTexts(where, texts);
  rejectUnknownKeys(options, embedDocumentOptionNames, where);
  const { maxTokens, overlap, by, per = 'chunk', signal, timeout, ...embedOptions } = options;
  if (!['chunk', 'document'].includes(per))
    throw new RangeError(`${where}: per must be 'chunk' or 'document', not ${show(per)}`);
  if ((options.pooling as string | undefined) === 'none')
    throw new RangeError(`${where}: pooling 'none' gives no vector of a chunk; use 'mean' or 'cls', or embed()`);
  checkEmbedOptions(where, { ...embedOptions, signal, timeout });
  const chunkOptions = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(by === undefined ? {} : { by }),
  };
  // One clock for all of it, so the parts have none of their own; this ends those that are under way.
  const parts = new AbortController();
  const work = async (ended: () => boolean): Promise<EmbeddedDocument> => {
    const { tokenizer, promptTokens } = await session.tokenizerFor(list, { ...embedOptions, signal: parts.signal });
    const longest = tokenizer.maxTokens - promptTokens;
    if (maxTokens !== undefined && maxTokens > longest)
      throw new RangeError(
        `${where}: maxTokens is ${maxTokens}, more than the ${longest} that the model takes` +
          (promptTokens > 0 ? ` behind a prompt of ${promptTokens}` : ''),
      );
    const chunks = await chunksOf(tokenizer, list, { maxTokens: longest, ...chunkOptions }, ended);
    const toEmbed = chunks.map(({ text }) => text);
    // Of an empty text there is no chunk, but a document has a vector.
    const empty = per === 'document' ? [...list.keys()].filter((i) => list[i] === '') : [];
    const rows = await session.embed(
      [...toEmbed, ...empty.map(() => '')],
      { ...embedOptions, truncate: false, signal: parts.signal },
      'embed',
    );
    if (per === 'chunk') return { chunks, embeddings: rows };
    const documentOf = [...chunks.map(({ document }) => document), ...empty];
    return { chunks, embeddings: meansOf(rows, documentOf, list.length, options.normalize ?? true) };
  };
  return withDeadline({ signal, timeout }, work, () => parts.abort());
}

async function chunksOf(
  tokenizer: Tokenizer,
  list: readonly string[],
  options: ChunkOptions,
  ended: () => boolean,
): Promise<DocumentChunk[]> {
  const chunks: DocumentChunk[] = [];
  let since = performance.now();
  for (const [document, text] of list.entries()) {
    if (ended()) return [];
    for (const chunk of await Tokenizer.chunkWithPauses(tokenizer, where, text, options, ended))
      chunks.push({ document, ...chunk });
    // Many short texts are as long as one long one.
    if (performance.now() - since < longestTurnMs) continue;
    await pause();
    since = performance.now();
  }
  return chunks;
}

const longestTurnMs = 4;

/** The mean of each document's rows, weighted by their tokens. A document with a row that failed is NaN, with that error. */
function meansOf(rows: Embeddings, documentOf: readonly number[], documents: number, normalize: boolean): Embeddings {
  const { dimensions } = rows;
  const sums = Array.from({ length: documents }, () => new Float64Array(dimensions));
  const tokens = new Uint32Array(documents);
  const errors = new Map<number, GtewayError>();
  for (const [i, document] of documentOf.entries()) {
    const weight = rows.tokens[i] ?? 0;
    const sum = sums[document];
    if (sum !== undefined) for (const [d, value] of rows.at(i).entries()) sum[d] = (sum[d] ?? 0) + weight * value;
    tokens[document] = (tokens[document] ?? 0) + weight;
    const error = rows.errors.get(i);
    if (error !== undefined && !errors.has(document))
      errors.set(document, new GtewayError(error.code, error.message, { cause: error, details: { index: document } }));
  }
  const data = new Float32Array(documents * dimensions);
  for (const [document, sum] of sums.entries()) {
    // A static model may know no token of a document.
    const length = normalize ? Math.max(Math.hypot(...sum), 1e-12) : Math.max(tokens[document] ?? 0, 1);
    for (const [d, value] of sum.entries())
      data[document * dimensions + d] = errors.has(document) ? NaN : value / length;
  }
  return new Embeddings(data, dimensions, tokens, new Array<boolean>(documents).fill(false), errors);
}
