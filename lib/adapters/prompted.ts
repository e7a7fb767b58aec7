/** For frameworks that tell queries from documents: each with the prompt that the model was trained to find before it. */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import type { EmbedOptions } from '../embedding/embed-options.js';
import { checkPrompt, type Prompt } from '../embedding/prompt.js';
import type { Embeddings } from '../vectors/embeddings.js';
import type { EmbeddingSource } from './held-model.js';

/** What comes before queries and before documents. `{ text: '' }` is nothing. */
export interface PromptOptions {
  /** @default the model's own prompt `query`, if it has one */
  query?: Prompt;
  /** @default the model's own prompt `passage`, if it has one */
  passage?: Prompt;
}

/** Throws TypeError. */
export function checkPrompts(where: string, prompts: PromptOptions): void {
  rejectUnknownKeys(prompts, ['query', 'passage'], `${where}: prompts`);
  checkPrompt(`${where}: prompts.query`, prompts.query);
  checkPrompt(`${where}: prompts.passage`, prompts.passage);
}

export async function embedAs(
  role: keyof PromptOptions,
  session: EmbeddingSource,
  texts: readonly string[],
  prompts: PromptOptions,
  options: EmbedOptions,
): Promise<Embeddings> {
  let prompt = prompts[role];
  if (prompt === undefined) {
    await session.ready();
    if (Object.hasOwn(session.info.prompts, role)) prompt = role;
  }
  return session.embed(texts, prompt === undefined ? options : { ...options, prompt });
}
