/** One retriever on one set, and what a dtype changes. */
import { similarityMatrix } from '../../dist/index.js';
import { cosine, kendall, mean, ndcgAt, overlapAt, recallAt, spearman, topRanked } from './metrics.mjs';

const depth = 10;

/**
 * @typedef {import('./retrievers/retriever.mjs').Loaded} Loaded
 * @typedef {import('./retrievers/retriever.mjs').Vectors} Vectors
 * @typedef {import('./sets.mjs').RetrievalSet} RetrievalSet
 * @typedef {import('./sets.mjs').SimilaritySet} SimilaritySet
 *
 * @typedef {{ queries: number, recall1: number, recall10: number, ndcg10: number }} Scores means over queries, 0 to 1
 * @typedef {{ corpus: Vectors, queries: Vectors }} Kept what was embedded
 */

/**
 * @param {Loaded} retriever
 * @param {RetrievalSet} set
 * @returns {Promise<{ all: Scores, none?: Scores, shared?: Scores, kept?: Kept }>} `none` and `shared`: of the queries
 * that share no content word with an answer, and of the others
 */
export async function evaluateRetrieval(retriever, set) {
  const { scoresOf, kept } = await scorer(retriever, set);
  const judged = set.queries.map(({ relevant, lexical }, query) => {
    const ranking = topRanked(scoresOf(query), depth);
    return {
      lexical,
      recall1: recallAt(ranking, relevant, 1),
      recall10: recallAt(ranking, relevant, 10),
      ndcg10: ndcgAt(ranking, relevant, 10),
    };
  });
  const scores = (/** @type {typeof judged} */ of) => ({
    queries: of.length,
    recall1: mean(of.map(({ recall1 }) => recall1)),
    recall10: mean(of.map(({ recall10 }) => recall10)),
    ndcg10: mean(of.map(({ ndcg10 }) => ndcg10)),
  });
  const marked = judged.some(({ lexical }) => lexical !== undefined);
  return {
    all: scores(judged),
    ...(marked && {
      none: scores(judged.filter(({ lexical }) => lexical === 'none')),
      shared: scores(judged.filter(({ lexical }) => lexical === 'shared')),
    }),
    ...(kept && { kept }),
  };
}

/**
 * @param {Loaded} retriever
 * @param {RetrievalSet} set
 * @returns {Promise<{ scoresOf: (query: number) => ArrayLike<number>, kept?: Kept }>}
 */
async function scorer(retriever, set) {
  const texts = set.queries.map(({ text }) => text);
  if (retriever.index) {
    const ask = retriever.index(set.corpus);
    return { scoresOf: (query) => ask(texts[query]) };
  }
  const kept = { corpus: await retriever.embed(set.corpus), queries: await retriever.embed(texts) };
  return { scoresOf: cosinesWith(kept), kept };
}

/** So many queries' cosines are computed at once: a matrix of them with 100,000 texts takes 25 MB. */
const queriesTogether = 64;

/**
 * @param {Kept} vectors
 * @returns {(query: number) => Float32Array} the cosines with all texts; 0 for a text without a single known word.
 * Cheap when asked for in order.
 */
function cosinesWith({ corpus, queries }) {
  let first = NaN;
  /** @type {import('../../dist/index.js').SimilarityMatrix} */
  let cosines;
  return (query) => {
    const wanted = query - (query % queriesTogether);
    if (wanted !== first) {
      const { dimensions } = queries;
      const data = queries.data.subarray(wanted * dimensions, (wanted + queriesTogether) * dimensions);
      cosines = similarityMatrix(matrix({ data, dimensions }), matrix(corpus));
      first = wanted;
    }
    const { columns } = cosines;
    return cosines.data.subarray((query - first) * columns, (query - first + 1) * columns);
  };
}

/** @param {Vectors} vectors */
const matrix = ({ data, dimensions }) => ({ data, dimensions, rows: data.length / dimensions });

/** @param {Vectors} vectors @returns {Float32Array[]} */
function rows({ data, dimensions }) {
  return Array.from({ length: data.length / dimensions }, (_, row) =>
    data.subarray(row * dimensions, (row + 1) * dimensions),
  );
}

/**
 * Spearman's ρ between cosines and what people said.
 *
 * @param {Loaded} retriever one with vectors
 * @param {SimilaritySet} set
 */
export async function evaluateSimilarity(retriever, { pairs }) {
  const as = rows(await retriever.embed(pairs.map(({ a }) => a)));
  const bs = rows(await retriever.embed(pairs.map(({ b }) => b)));
  const cosines = pairs.map((_, i) => cosine(as[i], bs[i]) || 0);
  return spearman(
    cosines,
    pairs.map(({ score }) => score),
  );
}

/**
 * What the vectors of another precision change beside those of fp32, for the same texts and queries.
 *
 * @param {Kept} reference
 * @param {Kept} other
 * @returns {{ leastCosine: number, meanCosine: number, firstChanged: number, overlap10: number, kendall10: number }}
 * cosines over all vectors; `firstChanged`: queries with another first text; `overlap10`: how much of the first ten is
 * the same; `kendall10`: τ-b between the scores of the reference's first ten; both means over queries
 */
export function cost(reference, other) {
  const pairsOf = (/** @type {Vectors} */ one, /** @type {Vectors} */ two) => {
    const counterparts = rows(two);
    return rows(one).map((row, i) => cosine(row, counterparts[i]));
  };
  const cosines = [...pairsOf(reference.corpus, other.corpus), ...pairsOf(reference.queries, other.queries)];
  const scoresOf = cosinesWith(reference);
  const otherScoresOf = cosinesWith(other);
  const changes = rows(reference.queries).map((_, query) => {
    const expected = scoresOf(query);
    const got = otherScoresOf(query);
    const first = topRanked(expected, depth);
    const otherFirst = topRanked(got, depth);
    return {
      changed: first[0] !== otherFirst[0],
      overlap: overlapAt(first, otherFirst, depth),
      tau: kendall(
        first.map((item) => expected[item]),
        first.map((item) => got[item]),
      ),
    };
  });
  return {
    leastCosine: Math.min(...cosines),
    meanCosine: mean(cosines),
    firstChanged: changes.filter(({ changed }) => changed).length,
    overlap10: mean(changes.map(({ overlap }) => overlap)),
    kendall10: mean(changes.map(({ tau }) => tau).filter((tau) => !Number.isNaN(tau))),
  };
}
