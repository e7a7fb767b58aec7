/** From scores to an order. */

/** A text's place in the list that was ranked, and its score. */
export interface Ranked {
  /** In the list of texts that was given. */
  readonly index: number;
  readonly score: number;
  /** With `returnTexts`. */
  readonly text?: string;
}

/** Best first; of equal scores the one that was given first. `topK`: only so many. */
export function ranked(
  scores: Float32Array,
  { topK, texts }: { topK?: number | undefined; texts?: readonly string[] | undefined } = {},
): Ranked[] {
  // Array.prototype.sort is stable.
  const order = Array.from(scores, (score, index) => ({ score, index })).sort((a, b) => b.score - a.score);
  return order.slice(0, topK).map(({ score, index }) => {
    const text = texts?.[index];
    return text === undefined ? { index, score } : { index, score, text };
  });
}
