/** The fields that text-embeddings-inference's requests share. */
import type { EmbedOptions } from '../../embedding/embed-options.js';

export interface TeiOptions {
  readonly truncate?: boolean | null;
  readonly prompt_name?: string | null;
  /** Not text-embeddings-inference's, which serves one model: which of several to use. */
  readonly model?: string | null;
}

export const teiFields = {
  truncate: { type: ['boolean', 'null'] },
  truncation_direction: { enum: ['Right', 'right'] },
  prompt_name: { type: ['string', 'null'] },
  model: { type: ['string', 'null'] },
} as const;

/** Texts that are too long are cut unless `truncate` is false. */
export function truncateOf({ truncate }: TeiOptions): { truncate?: boolean } {
  return typeof truncate === 'boolean' ? { truncate } : {};
}

export function embedOptionsOf({ prompt_name: prompt, ...tei }: TeiOptions): EmbedOptions {
  return { ...truncateOf(tei), ...(typeof prompt === 'string' ? { prompt } : {}) };
}
