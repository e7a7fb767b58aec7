/**
 * The rerankers gteway knows by a short name, and the hub repositories their ONNX files come from. The facts are those of
 * the model cards and of the repositories' configurations. A repository that is not listed works too.
 */
import { nearestName } from '../arguments/known-names.js';

/** What is known about a reranker without opening its files. */
export interface KnownReranker {
  /** The short name, as in `new Reranker('ms-marco-MiniLM-L6-v2')`. */
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
