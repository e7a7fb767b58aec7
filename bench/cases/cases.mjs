/**
 * What is measured, as data. A case is a set of texts that every driver embeds; the smaller number of texts is the one of
 * --quick. Multiples of 32, so that batches of 32 are full.
 *
 * @typedef {{ name: string, about: string, default: boolean, texts: number, quickTexts: number } & (
 *   { corpus: 'queries' | 'sentences' | 'passages' | 'mixed' } | { tokens: number }
 * )} Case
 * `corpus`: a sample that has the corpus' distribution of lengths. `tokens`: texts of exactly that length, [CLS] and [SEP]
 * counted.
 */

/** @type {Case[]} */
export const cases = [
  {
    name: 'queries',
    about: 'short lines, 18 tokens on average',
    corpus: 'queries',
    texts: 256,
    quickTexts: 64,
    default: true,
  },
  {
    name: 'sentences',
    about: 'sentences, 28 tokens on average',
    corpus: 'sentences',
    texts: 128,
    quickTexts: 64,
    default: true,
  },
  {
    name: 'passages',
    about: 'paragraphs, 210 tokens on average',
    corpus: 'passages',
    texts: 64,
    quickTexts: 32,
    default: true,
  },
  {
    name: 'mixed',
    about: 'short and long texts in one list, 76 tokens on average',
    corpus: 'mixed',
    texts: 64,
    quickTexts: 32,
    default: true,
  },
  ...[16, 32, 64, 128, 256, 512].map((tokens) => ({
    name: `length-${tokens}`,
    about: `texts of ${tokens} tokens each`,
    tokens,
    texts: Math.max(32, 4096 / tokens),
    quickTexts: 32,
    default: false,
  })),
  ...[8, 32, 128].map((tokens) => ({
    name: `latency-${tokens}`,
    about: `one text of ${tokens} tokens`,
    tokens,
    texts: 1,
    quickTexts: 1,
    default: false,
  })),
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
