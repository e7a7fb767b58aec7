/**
 * `gteway/chroma`: an embedding function for collections of Chroma's JavaScript client.
 *
 * Of the client only types are named here, so nothing of it is loaded.
 */
import type { EmbeddingFunction, EmbeddingFunctionSpace } from 'chromadb';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import type { EmbedOptions } from '../embedding/embed-options.js';
import {
  type AdapterEmbedOptions,
  checkAdapterEmbedOptions,
  type EmbeddingSource,
  type HeldSession,
  holdSession,
  type OpeningOptions,
} from './held-model.js';
import { checkPrompts, embedAs, type PromptOptions } from './prompted.js';

export interface GtewayEmbeddingFunctionOptions extends OpeningOptions {
  /** Of every call. */
  embed?: AdapterEmbedOptions;
  prompts?: PromptOptions;
}

/** What a collection keeps of its function, so that another client makes the same one. */
export interface GtewayEmbeddingFunctionConfig extends Pick<GtewayEmbeddingFunctionOptions, 'embed' | 'prompts'> {
  model: string;
}

/** The name under which collections know this function: `registerEmbeddingFunction(embeddingFunctionName, …)`. */
export const embeddingFunctionName = 'gteway';

/**
 * The embedding function of a collection: documents with the model's prompt of passages, queries with that of queries.
 *
 * @example
 * await using embeddingFunction = new GtewayEmbeddingFunction('gte-small');
 * const collection = await client.getOrCreateCollection({ name: 'articles', embeddingFunction });
 */
export class GtewayEmbeddingFunction implements EmbeddingFunction, AsyncDisposable {
  readonly name = embeddingFunctionName;
  readonly #held: HeldSession;
  readonly #options: EmbedOptions;
  readonly #prompts: PromptOptions;

  /**
   * A model given by its name loads in the background and is closed by `close()`; a session given stays its owner's, who
   * closes it. Throws TypeError or RangeError for what can be no embedding model, and for malformed options.
   */
  constructor(model: string | EmbeddingSource, options: GtewayEmbeddingFunctionOptions = {}) {
    const where = 'new GtewayEmbeddingFunction()';
    rejectUnknownKeys(options, ['open', 'embed', 'prompts'], where);
    this.#options = options.embed ?? {};
    this.#prompts = options.prompts ?? {};
    checkAdapterEmbedOptions(`${where}: embed`, this.#options);
    checkPrompts(where, this.#prompts);
    this.#held = holdSession(where, model, options.open);
  }

  /** Called by the client for a collection that was made with such a function. Throws as the constructor does. */
  static buildFromConfig(config: Record<string, unknown>): GtewayEmbeddingFunction {
    const { model, embed, prompts } = checkedConfig(config);
    return new GtewayEmbeddingFunction(model, {
      ...(embed === undefined ? {} : { embed }),
      ...(prompts === undefined ? {} : { prompts }),
    });
  }

  /** With the prompt of passages. Rejects as `session.embed` does. */
  generate(texts: string[]): Promise<number[][]> {
    return this.#embed('passage', texts);
  }

  /** With the prompt of queries. Rejects as `session.embed` does. */
  generateForQueries(texts: string[]): Promise<number[][]> {
    return this.#embed('query', texts);
  }

  /** What decides about the vectors; where and how the model is opened does not. */
  getConfig(): GtewayEmbeddingFunctionConfig & Record<string, unknown> {
    return {
      model: this.#held.name,
      ...(Object.keys(this.#options).length === 0 ? {} : { embed: { ...this.#options } as AdapterEmbedOptions }),
      ...(Object.keys(this.#prompts).length === 0 ? {} : { prompts: { ...this.#prompts } }),
    };
  }

  validateConfig(config: Record<string, unknown>): void {
    checkedConfig(config);
  }

  /** Throws Error where the vectors that are there would be another model's. */
  validateConfigUpdate(config: Record<string, unknown>): void {
    const { model } = checkedConfig(config);
    if (model === this.#held.name) return;
    throw new Error(`a collection with vectors of ${this.#held.name} cannot go on with ${model}: make another one`);
  }

  defaultSpace(): EmbeddingFunctionSpace {
    return 'cosine';
  }

  supportedSpaces(): EmbeddingFunctionSpace[] {
    return ['cosine', 'l2', 'ip'];
  }

  async #embed(role: keyof PromptOptions, texts: readonly string[]): Promise<number[][]> {
    const embeddings = await embedAs(role, this.#held.model, texts, this.#prompts, this.#options);
    return Array.from(embeddings, (row) => Array.from(row));
  }

  /** Closes the model, if it was given by its name. */
  async close(): Promise<void> {
    await this.#held.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function checkedConfig(config: Record<string, unknown>): GtewayEmbeddingFunctionConfig {
  const where = 'the configuration of a gteway embedding function';
  rejectUnknownKeys(config, ['model', 'embed', 'prompts'], where);
  if (typeof config.model !== 'string')
    throw new TypeError(`${where}: model must be a name, not ${show(config.model)}`);
  return config as unknown as GtewayEmbeddingFunctionConfig;
}
