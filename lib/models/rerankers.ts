/**
 * The rerankers gteway knows by a short name, and the hub repositories their ONNX files come from. The facts are those of
 * the model cards and of the repositories' configurations. A repository that is not listed works too.
 */
import { nearestName } from '../arguments/known-names.js';

/** What is known about a reranker without opening its files. */
export interface KnownReranker {
  /** The short name, as in `new Reranker('bge-reranker-base')`. */
  readonly name: string;
  /** `owner/name` on the hub. */
  readonly repository: string;
  /** The longest pair in tokens, special tokens included. */
  readonly maxTokens: number;
  /** SPDX identifier of the weights' licence. */
  readonly license: string;
}

export const knownRerankers: readonly KnownReranker[] = [
  {
    name: 'ms-marco-MiniLM-L6-v2',
    repository: 'cross-encoder/ms-marco-MiniLM-L6-v2',
    maxTokens: 512,
    license: 'Apache-2.0',
  },
  {
    name: 'ms-marco-MiniLM-L12-v2',
    repository: 'cross-encoder/ms-marco-MiniLM-L12-v2',
    maxTokens: 512,
    license: 'Apache-2.0',
  },
  { name: 'bge-reranker-base', repository: 'BAAI/bge-reranker-base', maxTokens: 512, license: 'MIT' },
  { name: 'bge-reranker-large', repository: 'BAAI/bge-reranker-large', maxTokens: 512, license: 'MIT' },
  {
    name: 'bge-reranker-v2-m3',
    repository: 'onnx-community/bge-reranker-v2-m3-ONNX',
    maxTokens: 8192,
    license: 'Apache-2.0',
  },
  {
    name: 'gte-reranker-modernbert-base',
    repository: 'Alibaba-NLP/gte-reranker-modernbert-base',
    maxTokens: 8192,
    license: 'Apache-2.0',
  },
  {
    name: 'jina-reranker-v1-tiny-en',
    repository: 'jinaai/jina-reranker-v1-tiny-en',
    maxTokens: 8192,
    license: 'Apache-2.0',
  },
  {
    name: 'jina-reranker-v1-turbo-en',
    repository: 'jinaai/jina-reranker-v1-turbo-en',
    maxTokens: 8192,
    license: 'Apache-2.0',
  },
  {
    name: 'jina-reranker-v2-base-multilingual',
    repository: 'jinaai/jina-reranker-v2-base-multilingual',
    maxTokens: 1024,
    license: 'CC-BY-NC-4.0',
  },
];

const byName = new Map(knownRerankers.map((model) => [model.name.toLowerCase(), model]));

/** The reranker of that short name, in any case. */
export function knownReranker(name: string): KnownReranker | undefined {
  return byName.get(name.toLowerCase());
}

/** The known name closest to `name`, when it is close enough to be what was meant. */
export function nearestKnownReranker(name: string): string | undefined {
  return nearestName(
    name.toLowerCase().replaceAll('_', '-'),
    knownRerankers.map(({ name: known }) => known),
  );
}
