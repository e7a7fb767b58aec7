/**
 * The embedding models gteway knows by a short name, and the hub repositories their ONNX files come from.
 *
 * The facts are those of the model cards. Where the authors' own repository carries only a fp32 ONNX file, the entry
 * names the Xenova mirror of the same weights, which carries fp32, fp16 and int8 side by side. A repository that is not
 * listed works too; this table only saves typing, and knows the pooling of mirrors that do not state it.
 */
import { nearestName } from '../arguments/known-names.js';
import { bundledModel } from './bundled.js';

/** How the token vectors of a text become one: their mean, or the vector of the first token. */
export type PoolingMode = 'mean' | 'cls';

/** The short names, for types: `new Session('gte-small')` is known to give vectors. */
export type KnownModelName =
  | typeof bundledModel
  | 'gte-small'
  | 'gte-base'
  | 'gte-large'
  | 'bge-small-en-v1.5'
  | 'bge-base-en-v1.5'
  | 'bge-large-en-v1.5'
  | 'e5-small-v2'
  | 'e5-base-v2'
  | 'e5-large-v2'
  | 'all-MiniLM-L6-v2'
  | 'all-MiniLM-L12-v2'
  | 'snowflake-arctic-embed-xs'
  | 'snowflake-arctic-embed-s'
  | 'snowflake-arctic-embed-m'
  | 'snowflake-arctic-embed-l'
  | 'snowflake-arctic-embed-m-v1.5'
  | 'all-mpnet-base-v2'
  | 'all-distilroberta-v1'
  | 'multilingual-e5-small'
  | 'multilingual-e5-base'
  | 'multilingual-e5-large'
  | 'bge-m3'
  | 'snowflake-arctic-embed-l-v2.0'
  | 'gte-modernbert-base'
  | 'modernbert-embed-base'
  | 'potion-base-2M'
  | 'potion-base-4M'
  | 'potion-base-8M'
  | 'potion-base-32M'
  | 'potion-retrieval-32M';

/** What is known about an embedding model without opening its files. */
export interface KnownModel {
  /** The short name, as in `new Session('gte-small')`. */
  readonly name: KnownModelName;
  /** `owner/name` on the hub. */
  readonly repository: string;
  /** Length of the vectors. */
  readonly dimensions: number;
  /** The longest input in tokens, special tokens included: the number of positions the model has. */
  readonly maxTokens: number;
  /**
   * Tokens per text the model was trained with, where that is less than `maxTokens`. Longer texts are embedded whole;
   * their quality is less certain.
   */
  readonly trainedTokens?: number;
  readonly pooling: PoolingMode;
  /** A table of token vectors, without a network: some hundred times as fast, and less exact. */
  readonly isStatic?: true;
  /** SPDX identifier of the weights' licence. */
  readonly license: string;
  /** What the model card asks to put before a search query. The prompt `query`. */
  readonly queryPrefix?: string;
  /** What the model card asks to put before a text to be found. The prompt `passage`. */
  readonly passagePrefix?: string;
}

const retrievalPrefix = 'Represent this sentence for searching relevant passages: ';
const e5Prefixes = { queryPrefix: 'query: ', passagePrefix: 'passage: ' } as const;

type Facts = Omit<KnownModel, 'name' | 'repository' | 'maxTokens'> & { readonly maxTokens?: number };

function known(name: KnownModelName, repository: string, facts: Facts): KnownModel {
  return { name, repository, maxTokens: 512, ...facts };
}

/** Their limit is that of model2vec's `encode`. */
function potion(name: KnownModelName, dimensions: number): KnownModel {
  return known(name, `minishlab/${name}`, { dimensions, pooling: 'mean', isStatic: true, license: 'MIT' });
}

export const knownModels: readonly KnownModel[] = [
  known('gte-small', 'Supabase/gte-small', { dimensions: 384, pooling: 'mean', license: 'MIT' }),
  known('gte-base', 'Xenova/gte-base', { dimensions: 768, pooling: 'mean', license: 'MIT' }),
  known('gte-large', 'Xenova/gte-large', { dimensions: 1024, pooling: 'mean', license: 'MIT' }),

  known('bge-small-en-v1.5', 'Xenova/bge-small-en-v1.5', {
    dimensions: 384,
    pooling: 'cls',
    license: 'MIT',
    queryPrefix: retrievalPrefix,
  }),
  known('bge-base-en-v1.5', 'Xenova/bge-base-en-v1.5', {
    dimensions: 768,
    pooling: 'cls',
    license: 'MIT',
    queryPrefix: retrievalPrefix,
  }),
  known('bge-large-en-v1.5', 'Xenova/bge-large-en-v1.5', {
    dimensions: 1024,
    pooling: 'cls',
    license: 'MIT',
    queryPrefix: retrievalPrefix,
  }),

  known('e5-small-v2', 'Xenova/e5-small-v2', { dimensions: 384, pooling: 'mean', license: 'MIT', ...e5Prefixes }),
  known('e5-base-v2', 'Xenova/e5-base-v2', { dimensions: 768, pooling: 'mean', license: 'MIT', ...e5Prefixes }),
  known('e5-large-v2', 'Xenova/e5-large-v2', { dimensions: 1024, pooling: 'mean', license: 'MIT', ...e5Prefixes }),

  known('all-MiniLM-L6-v2', 'Xenova/all-MiniLM-L6-v2', {
    dimensions: 384,
    pooling: 'mean',
    license: 'Apache-2.0',
    trainedTokens: 256,
  }),
  known('all-MiniLM-L12-v2', 'Xenova/all-MiniLM-L12-v2', {
    dimensions: 384,
    pooling: 'mean',
    license: 'Apache-2.0',
    trainedTokens: 128,
  }),

  known('snowflake-arctic-embed-xs', 'Snowflake/snowflake-arctic-embed-xs', {
    dimensions: 384,
    pooling: 'cls',
    license: 'Apache-2.0',
    queryPrefix: retrievalPrefix,
  }),
  known('snowflake-arctic-embed-s', 'Snowflake/snowflake-arctic-embed-s', {
    dimensions: 384,
    pooling: 'cls',
    license: 'Apache-2.0',
    queryPrefix: retrievalPrefix,
  }),
  known('snowflake-arctic-embed-m', 'Snowflake/snowflake-arctic-embed-m', {
    dimensions: 768,
    pooling: 'cls',
    license: 'Apache-2.0',
    queryPrefix: retrievalPrefix,
  }),
  known('snowflake-arctic-embed-l', 'Snowflake/snowflake-arctic-embed-l', {
    dimensions: 1024,
    pooling: 'cls',
    license: 'Apache-2.0',
    queryPrefix: retrievalPrefix,
  }),
  known('snowflake-arctic-embed-m-v1.5', 'Snowflake/snowflake-arctic-embed-m-v1.5', {
    dimensions: 768,
    pooling: 'cls',
    license: 'Apache-2.0',
    queryPrefix: retrievalPrefix,
  }),

  known('all-mpnet-base-v2', 'Xenova/all-mpnet-base-v2', {
    dimensions: 768,
    pooling: 'mean',
    license: 'Apache-2.0',
    trainedTokens: 384,
  }),

  known('all-distilroberta-v1', 'Xenova/all-distilroberta-v1', {
    dimensions: 768,
    pooling: 'mean',
    license: 'Apache-2.0',
    trainedTokens: 128,
  }),

  known('multilingual-e5-small', 'Xenova/multilingual-e5-small', {
    dimensions: 384,
    pooling: 'mean',
    license: 'MIT',
    ...e5Prefixes,
  }),
  known('multilingual-e5-base', 'Xenova/multilingual-e5-base', {
    dimensions: 768,
    pooling: 'mean',
    license: 'MIT',
    ...e5Prefixes,
  }),
  known('multilingual-e5-large', 'Xenova/multilingual-e5-large', {
    dimensions: 1024,
    pooling: 'mean',
    license: 'MIT',
    ...e5Prefixes,
  }),
  known('bge-m3', 'Xenova/bge-m3', { dimensions: 1024, maxTokens: 8192, pooling: 'cls', license: 'MIT' }),
  known('snowflake-arctic-embed-l-v2.0', 'Snowflake/snowflake-arctic-embed-l-v2.0', {
    dimensions: 1024,
    maxTokens: 8192,
    pooling: 'cls',
    license: 'Apache-2.0',
    queryPrefix: 'query: ',
  }),

  known('gte-modernbert-base', 'Alibaba-NLP/gte-modernbert-base', {
    dimensions: 768,
    maxTokens: 8192,
    pooling: 'cls',
    license: 'Apache-2.0',
  }),
  known('modernbert-embed-base', 'nomic-ai/modernbert-embed-base', {
    dimensions: 768,
    maxTokens: 8192,
    pooling: 'mean',
    license: 'Apache-2.0',
    queryPrefix: 'search_query: ',
    passagePrefix: 'search_document: ',
  }),

  potion('potion-base-2M', 64),
  potion('potion-base-4M', 128),
  potion('potion-base-8M', 256),
  potion('potion-base-32M', 512),
  potion('potion-retrieval-32M', 512),
];

/**
 * Repositories that hold the weights of a listed model, besides the one in the table. Mirrors made for Transformers.js
 * do not carry the file that states the pooling, so it is looked up here.
 */
const sameWeights: Readonly<Record<string, string>> = {
  'thenlper/gte-small': 'gte-small',
  'xenova/gte-small': 'gte-small',
  'thenlper/gte-base': 'gte-base',
  'thenlper/gte-large': 'gte-large',
  'baai/bge-small-en-v1.5': 'bge-small-en-v1.5',
  'baai/bge-base-en-v1.5': 'bge-base-en-v1.5',
  'baai/bge-large-en-v1.5': 'bge-large-en-v1.5',
  'intfloat/e5-small-v2': 'e5-small-v2',
  'intfloat/e5-base-v2': 'e5-base-v2',
  'intfloat/e5-large-v2': 'e5-large-v2',
  'sentence-transformers/all-minilm-l6-v2': 'all-MiniLM-L6-v2',
  'sentence-transformers/all-minilm-l12-v2': 'all-MiniLM-L12-v2',
  'sentence-transformers/all-mpnet-base-v2': 'all-mpnet-base-v2',
  'sentence-transformers/all-distilroberta-v1': 'all-distilroberta-v1',
  'intfloat/multilingual-e5-small': 'multilingual-e5-small',
  'intfloat/multilingual-e5-base': 'multilingual-e5-base',
  'intfloat/multilingual-e5-large': 'multilingual-e5-large',
  'baai/bge-m3': 'bge-m3',
};

const byName = new Map(knownModels.map((model) => [model.name.toLowerCase(), model]));
const byRepository = new Map(knownModels.map((model) => [model.repository.toLowerCase(), model]));

/** The model of that short name, in any case. */
export function knownModel(name: string): KnownModel | undefined {
  return byName.get(name.toLowerCase());
}

/** The listed model whose weights `repository` (`owner/name`) holds. */
export function knownRepository(repository: string): KnownModel | undefined {
  const key = repository.toLowerCase();
  const twin = sameWeights[key];
  return byRepository.get(key) ?? (twin === undefined ? undefined : knownModel(twin));
}

/**
 * The known name closest to `name`, when it is close enough to be what was meant (`gte-smal`, `gte_small`, `bge-small`).
 * For the error of a model that no server has.
 */
export function nearestKnownModel(name: string): string | undefined {
  const wanted = name.toLowerCase().replaceAll('_', '-');
  if (wanted.length < 4) return undefined;
  const names = [...knownModels.map(({ name }) => name), bundledModel];
  return names.find((known) => known.toLowerCase().startsWith(wanted)) ?? nearestName(wanted, names);
}
