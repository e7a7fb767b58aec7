/** What a worker makes of texts with its session: a vector of each, or chunks with one each. */
import { checkChunkOptions, type ChunkOptions } from '../documents/chunk-options.js';
import { Session } from '../session.js';
import type { Target } from './catalog.js';
import type { ChunksConfig, SyncConfig } from './config.js';
import type { Embed } from './lane.js';
import type { ChunkVector, Made } from './store.js';
import { SyncError } from './sync-error.js';

/** What a worker needs of a session, whatever its model is called. */
export type SyncSession = Pick<Session, 'embed' | 'embedDocument' | 'info'>;

export function embeddingOf(session: SyncSession, { config, dimensions }: Target): Embed {
  const shorter = dimensions === session.info.dimensions ? {} : { dimensions };
  return config.chunks === undefined
    ? rowsOf(session, config.truncate, shorter)
    : chunksOf(session, chunkOptions(config.chunks), shorter);
}

function rowsOf(session: SyncSession, truncate: boolean, shorter: { dimensions?: number }): Embed {
  return async (texts) => {
    const embeddings = await session.embed(texts, { truncate, onError: 'continue', ...shorter });
    const results = texts.map((_, i) => embeddings.errors.get(i) ?? embeddings.at(i));
    return { results, tokens: embeddings.tokens.reduce((sum, count) => sum + count, 0) };
  };
}

/** A text with a chunk that fails has failed. */
function chunksOf(session: SyncSession, options: Required<ChunkOptions>, shorter: { dimensions?: number }): Embed {
  return async (texts) => {
    const { chunks, embeddings } = await session.embedDocument(texts, { ...options, onError: 'continue', ...shorter });
    const made = texts.map((): ChunkVector[] => []);
    const failed = new Map<number, Error>();
    let tokens = 0;
    for (const [i, { document, text, start, end, tokens: count }] of chunks.entries()) {
      const error = embeddings.errors.get(i);
      if (error !== undefined && !failed.has(document)) failed.set(document, error);
      made[document]?.push({ text, start, end, tokens: count, vector: embeddings.at(i) });
      tokens += count;
    }
    return { results: made.map((all, document): Made | Error => failed.get(document) ?? all), tokens };
  };
}

function chunkOptions({ size, overlap, by }: ChunksConfig): Required<ChunkOptions> {
  return { maxTokens: size, overlap, by };
}

/** Throws SyncError where the session's model does not take such chunks. */
export async function checkChunks(session: Session, { model, chunks }: SyncConfig): Promise<void> {
  if (chunks === undefined) return;
  const { tokenizer } = await Session.tokenizerFor(session, undefined);
  const { maxTokens } = tokenizer;
  if (chunks.size > maxTokens) {
    throw new SyncError(`chunks: size ${chunks.size} is more than the ${maxTokens} tokens that ${model} takes`);
  }
  try {
    checkChunkOptions('chunks', chunkOptions(chunks), { maxTokens, specialTokens: tokenizer.count('') });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SyncError(error.message.replaceAll('maxTokens', 'size'), { cause: error });
  }
}
