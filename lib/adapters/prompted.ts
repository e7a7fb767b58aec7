/** For frameworks that tell queries from documents: each with the prompt that the model was trained to find before it. */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import type { EmbedOptions } from '../embedding/embed-options.js';
import { checkPrompt, type Prompt } from '../embedding/prompt.js';
import {
  type AdapterEmbedOptions,
  checkAdapterEmbedOptions,
  type EmbeddingSource,
  type HeldSession,
  holdSession,
  type OpeningOptions,
} from './held-model.js';

/** What comes before queries and before documents. `{ text: '' }` is nothing. */
export interface PromptOptions {
  /** @default the model's own prompt `query`, if it has one */
  query?: Prompt;
  /** @default the model's own prompt `passage`, if it has one */
  passage?: Prompt;
}

/** Of an adapter that embeds queries and documents. */
export interface PromptedOptions extends OpeningOptions {
  /** Of every call. */
  embed?: AdapterEmbedOptions;
  prompts?: PromptOptions;
}

/** A model, held as held-model.ts says, with what an adapter was given for all of its calls. */
export class PromptedModel {
  readonly options: EmbedOptions;
  readonly prompts: PromptOptions;
  readonly #held: HeldSession;

  /** Throws TypeError or RangeError for what can be no embedding model, and for malformed options; `where`: whose they are. */
  constructor(where: string, model: string | EmbeddingSource, options: PromptedOptions) {
    rejectUnknownKeys(options, ['open', 'embed', 'prompts'], where);
    this.options = options.embed ?? {};
    this.prompts = options.prompts ?? {};
    checkAdapterEmbedOptions(`${where}: embed`, this.options);
    checkPrompts(where, this.prompts);
    this.#held = holdSession(where, model, options.open);
  }

  get name(): string {
    return this.#held.name;
  }

  /** Rejects as `session.embed` does. */
  async embed(role: keyof PromptOptions, texts: readonly string[]): Promise<number[][]> {
    const session = this.#held.model;
    let prompt = this.prompts[role];
    if (prompt === undefined) {
      await session.ready();
      if (Object.hasOwn(session.info.prompts, role)) prompt = role;
    }
    const embeddings = await session.embed(texts, prompt === undefined ? this.options : { ...this.options, prompt });
    return Array.from(embeddings, (row) => Array.from(row));
  }

  async close(): Promise<void> {
    await this.#held.close();
  }
}

function checkPrompts(where: string, prompts: PromptOptions): void {
  rejectUnknownKeys(prompts, ['query', 'passage'], `${where}: prompts`);
  checkPrompt(`${where}: prompts.query`, prompts.query);
  checkPrompt(`${where}: prompts.passage`, prompts.passage);
}
