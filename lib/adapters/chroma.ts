/**
 * `gteway/chroma`: an embedding function for collections of Chroma's JavaScript client.
 *
 * Of the client only types are named here, so nothing of it is loaded.
 */
import type { EmbeddingFunction, EmbeddingFunctionSpace } from 'chromadb';
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import type { AdapterEmbedOptions, EmbeddingSource } from './held-model.js';
import { PromptedModel, type PromptedOptions } from './prompted.js';

export type GtewayEmbeddingFunctionOptions = PromptedOptions;

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
  readonly #model: PromptedModel;

  /**
   * A model given by its name loads in the background and is closed by `close()`; a session given stays its owner's, who
   * closes it. Throws TypeError or RangeError for what can be no embedding model, and for malformed options.
   */
  constructor(model: string | EmbeddingSource, options: GtewayEmbeddingFunctionOptions = {}) {
    this.#model = new PromptedModel('new GtewayEmbeddingFunction()', model, options);
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
    return this.#model.embed('passage', texts);
  }

  /** With the prompt of queries. Rejects as `session.embed` does. */
  generateForQueries(texts: string[]): Promise<number[][]> {
    return this.#model.embed('query', texts);
  }

  /** What decides about the vectors; where and how the model is opened does not. */
  getConfig(): GtewayEmbeddingFunctionConfig & Record<string, unknown> {
    const { name, options, prompts } = this.#model;
    return {
      model: name,
      ...(Object.keys(options).length === 0 ? {} : { embed: { ...options } as AdapterEmbedOptions }),
      ...(Object.keys(prompts).length === 0 ? {} : { prompts: { ...prompts } }),
    };
  }

  validateConfig(config: Record<string, unknown>): void {
    checkedConfig(config);
  }

  /** Throws Error where the vectors that are there would be another model's. */
  validateConfigUpdate(config: Record<string, unknown>): void {
    const { model } = checkedConfig(config);
    if (model === this.#model.name) return;
    throw new Error(`a collection with vectors of ${this.#model.name} cannot go on with ${model}: make another one`);
  }

  defaultSpace(): EmbeddingFunctionSpace {
    return 'cosine';
  }

  supportedSpaces(): EmbeddingFunctionSpace[] {
    return ['cosine', 'l2', 'ip'];
  }

  /** Closes the model, if it was given by its name. */
  async close(): Promise<void> {
    await this.#model.close();
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
