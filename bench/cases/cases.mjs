/**
 * What is measured, as data. The numbers of texts of a corpus are multiples of 32, so that batches of 32 are full.
 *
 * @typedef {{ name: string, about: string, default: boolean, quick: boolean, texts: number, quickTexts: number } & (
 *   { kind: 'corpus', corpus: 'queries' | 'sentences' | 'passages' | 'mixed' } |
 *   { kind: 'length', tokens: [number, number] } |
 *   { kind: 'latency', tokens: [number, number] } |
 *   { kind: 'threads', corpus: 'mixed' }
 * )} Case
 * corpus: a sample that has the corpus' distribution of lengths. length: texts of so many tokens, [CLS] and [SEP] counted.
 * latency: one text a call, one call at a time. threads: the same as corpus, with one thread and with all.
 */

/** @type {Case[]} */
export const cases = [
  {
    name: 'queries',
    about: 'short lines, 18 tokens on average',
    kind: 'corpus',
    corpus: 'queries',
    texts: 256,
    quickTexts: 64,
    default: true,
    quick: true,
  },
  {
    name: 'sentences',
    about: 'sentences, 28 tokens on average',
    kind: 'corpus',
    corpus: 'sentences',
    texts: 128,
    quickTexts: 64,
    default: true,
    quick: false,
  },
  {
    name: 'passages',
    about: 'paragraphs, 210 tokens on average',
    kind: 'corpus',
    corpus: 'passages',
    texts: 32,
    quickTexts: 32,
    default: true,
    quick: false,
  },
  {
    name: 'mixed',
    about: 'short and long texts in one list, 76 tokens on average',
    kind: 'corpus',
    corpus: 'mixed',
    texts: 64,
    quickTexts: 32,
    default: true,
    quick: true,
  },
  .../** @type {const} */ ([16, 32, 64, 128, 256, 512]).map(
    (tokens) =>
      /** @type {Case} */ ({
        name: `length-${tokens}`,
        about: `texts of ${tokens} tokens each`,
        kind: 'length',
        tokens: [tokens, tokens],
        texts: Math.max(8, 4096 / tokens),
        quickTexts: 8,
        default: true,
        quick: false,
      }),
  ),
  {
    name: 'latency',
    about: 'one query of 8 to 16 tokens at a time',
    kind: 'latency',
    tokens: [8, 16],
    texts: 9,
    quickTexts: 9,
    default: true,
    quick: true,
  },
  {
    name: 'latency-128',
    about: 'one text of 128 tokens at a time',
    kind: 'latency',
    tokens: [128, 128],
    texts: 4,
    quickTexts: 4,
    default: false,
    quick: false,
  },
  {
    name: 'threads',
    about: 'mixed texts with one thread and with all of them, beside the probe of the machine',
    kind: 'threads',
    corpus: 'mixed',
    texts: 64,
    quickTexts: 32,
    default: true,
    quick: false,
  },
];

/**
 * Token lengths of the corpora at their 0th, 10th … 100th percentile: the stand-in texts follow these where the corpora
 * are absent.
 */
export const lengthDeciles = {
  queries: [4, 10, 12, 13, 15, 17, 19, 21, 24, 28, 91],
  sentences: [5, 12, 15, 18, 21, 24, 26, 31, 37, 48, 168],
  passages: [89, 134, 150, 164, 179, 195, 213, 235, 268, 310, 512],
  mixed: [5, 12, 15, 18, 21, 25, 31, 48, 160, 232, 512],
};
