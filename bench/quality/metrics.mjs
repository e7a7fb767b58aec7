/** How good a ranking is, and how alike two rankings are. Pure functions; ranks count from 1. */

/**
 * The items with the highest scores, best first; of equal scores the earlier item is first. Items whose score is
 * -Infinity were not found at all and are left out.
 *
 * @param {ArrayLike<number>} scores one per item
 * @param {number} count how many at most
 * @returns {number[]} indices of items
 */
export function topRanked(scores, count) {
  const found = Array.from({ length: scores.length }, (_, item) => item).filter((item) => scores[item] > -Infinity);
  return found.sort((a, b) => scores[b] - scores[a] || a - b).slice(0, count);
}

/**
 * Whether the first `k` of a ranking hold a relevant item: 1 or 0. Its mean over queries is recall@k where each query
 * has one relevant item. Where it has several they are taken for alternatives, one of which suffices (success@k).
 *
 * @param {number[]} ranking
 * @param {ReadonlySet<number>} relevant
 * @param {number} k
 */
export function recallAt(ranking, relevant, k) {
  return ranking.slice(0, k).some((item) => relevant.has(item)) ? 1 : 0;
}

/**
 * Normalised discounted cumulated gain with binary gains: DCG@k = Σ over the ranks r ≤ k of relevant items of
 * 1 / log2(r + 1), divided by the DCG@k of a ranking with all relevant items in front. From 0 to 1.
 *
 * Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4), 2002, in the form with
 * log2(r + 1) for every rank, as trec_eval and BEIR compute it.
 *
 * @param {number[]} ranking
 * @param {ReadonlySet<number>} relevant at least one
 * @param {number} k
 */
export function ndcgAt(ranking, relevant, k) {
  if (relevant.size === 0) throw new RangeError('ndcgAt: a query without a relevant item has no nDCG');
  const gain = (/** @type {number} */ index) => 1 / Math.log2(index + 2);
  let reached = 0;
  for (const [index, item] of ranking.slice(0, k).entries()) if (relevant.has(item)) reached += gain(index);
  let best = 0;
  for (let index = 0; index < Math.min(k, relevant.size); index++) best += gain(index);
  return reached / best;
}

/**
 * Spearman's ρ: Pearson's correlation of the ranks, equal values sharing the mean of their ranks. NaN where all values of
 * one side are equal.
 *
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys as many
 */
export function spearman(xs, ys) {
  return pearson(ranks(xs), ranks(ys));
}

/** @param {ArrayLike<number>} values @returns {number[]} */
function ranks(values) {
  const order = Array.from({ length: values.length }, (_, item) => item).sort((a, b) => values[a] - values[b]);
  const result = new Array(values.length);
  for (let first = 0; first < order.length;) {
    let end = first + 1;
    while (end < order.length && values[order[end]] === values[order[first]]) end++;
    for (let place = first; place < end; place++) result[order[place]] = (first + 1 + end) / 2;
    first = end;
  }
  return result;
}

/** @param {number[]} xs @param {number[]} ys */
function pearson(xs, ys) {
  const meanX = mean(xs);
  const meanY = mean(ys);
  let products = 0;
  let squaresX = 0;
  let squaresY = 0;
  for (let i = 0; i < xs.length; i++) {
    products += (xs[i] - meanX) * (ys[i] - meanY);
    squaresX += (xs[i] - meanX) ** 2;
    squaresY += (ys[i] - meanY) ** 2;
  }
  return products / Math.sqrt(squaresX * squaresY);
}

/**
 * Kendall's τ-b: of all pairs of items, those that both sides order alike less those they order otherwise, over the
 * geometric mean of the pairs that each side does order. NaN where one side orders none.
 *
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys as many
 */
export function kendall(xs, ys) {
  let balance = 0;
  let orderedX = 0;
  let orderedY = 0;
  for (let i = 0; i < xs.length; i++) {
    for (let j = 0; j < i; j++) {
      const x = Math.sign(xs[i] - xs[j]);
      const y = Math.sign(ys[i] - ys[j]);
      balance += x * y;
      orderedX += x * x;
      orderedY += y * y;
    }
  }
  return balance / Math.sqrt(orderedX * orderedY);
}

/**
 * How much of the first `k` two rankings have in common, whatever the order: from 0 to 1.
 *
 * @param {number[]} one
 * @param {number[]} other
 * @param {number} k
 */
export function overlapAt(one, other, k) {
  const kept = new Set(other.slice(0, k));
  const among = one.slice(0, k);
  return among.length === 0 ? NaN : among.filter((item) => kept.has(item)).length / among.length;
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b as long */
export function cosine(a, b) {
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    squaresA += a[i] * a[i];
    squaresB += b[i] * b[i];
  }
  return product / Math.sqrt(squaresA * squaresB);
}

/** @param {number[]} values @returns {number} NaN of none */
export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
