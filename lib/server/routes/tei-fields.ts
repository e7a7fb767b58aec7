/** The fields that text-embeddings-inference's requests share. */
import type { EmbedOptions } from '../../embedding/embed-options.js';

export interface TeiOptions {
  readonly truncate?: boolean | null;
  /** Not text-embeddings-inference's, which serves one model: which of several to use. */
  readonly model?: string | null;
}

export const teiFields = {
  truncate: { type: ['boolean', 'null'] },
  truncation_direction: { enum: ['Right', 'right'] },
  prompt_name: { type: 'null' },
  model: { type: ['string', 'null'] },
} as const;

/** Texts that are too long are cut unless `truncate` is false. */
export function embedOptionsOf({ truncate }: TeiOptions): EmbedOptions {
  return typeof truncate === 'boolean' ? { truncate } : {};
}
