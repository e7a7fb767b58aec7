/** Results as text for a terminal, and the goals they are held to. */
import { table } from '../report/table.mjs';

/**
 * @typedef {import('./evaluate.mjs').Scores} Scores
 * @typedef {{ retriever: string, set: string, all: Scores, none?: Scores, shared?: Scores }} RetrievalResult
 * @typedef {{ retriever: string, set: string, spearman: number }} SimilarityResult
 * @typedef {{ retriever: string, set: string, queries: number } & ReturnType<typeof import('./evaluate.mjs').cost>} Cost
 */

const percent = (/** @type {number} */ value) => (100 * value).toFixed(1);

/** @param {RetrievalResult[]} results of one set */
export function retrievalTable(results) {
  const split = results.some(({ none }) => none !== undefined);
  const heading = ['', 'recall@1', 'recall@10', 'nDCG@10'];
  if (split)
    heading.push('no word shared: recall@1', 'recall@10', 'nDCG@10', 'shared: recall@1', 'recall@10', 'nDCG@10');
  const cells = (/** @type {Scores | undefined} */ scores) =>
    scores === undefined
      ? ['–', '–', '–']
      : [percent(scores.recall1), percent(scores.recall10), scores.ndcg10.toFixed(3)];
  return table(
    heading,
    results.map(({ retriever, all, none, shared }) => [
      retriever,
      ...cells(all),
      ...(split ? [...cells(none), ...cells(shared)] : []),
    ]),
  );
}

/** @param {SimilarityResult[]} results of one set */
export function similarityTable(results) {
  return table(
    ['', 'Spearman'],
    results.map(({ retriever, spearman }) => [retriever, spearman.toFixed(3)]),
  );
}

/** @param {Cost[]} costs */
export function costTable(costs) {
  return table(
    ['beside encoder fp32', 'least cosine', 'mean cosine', 'another first', 'same of 10, %', 'Kendall τ of 10'],
    costs.map((cost) => [
      `${cost.retriever}, ${cost.set}`,
      cost.leastCosine.toFixed(6),
      cost.meanCosine.toFixed(6),
      `${cost.firstChanged} of ${cost.queries}`,
      percent(cost.overlap10),
      cost.kendall10.toFixed(3),
    ]),
  );
}

/**
 * @param {RetrievalResult[]} results
 * @param {string} judged the retriever's name
 * @returns {{ goal: string, value: number, least: number, met: boolean }[]} empty without the judged retriever's results
 */
export function goals(results, judged) {
  const of = (/** @type {string} */ retriever, /** @type {string} */ set) =>
    results.find((result) => result.retriever === retriever && result.set === set);
  const sets = [...new Set(results.map(({ set }) => set))];
  return sets.flatMap((set) => {
    const model = of(judged, set);
    const words = of('BM25', set);
    if (model === undefined) return [];
    if (set === 'everyday') return [verdict('recall@1 on the everyday list', model.all.recall1, 0.85)];
    if (set === 'demo') return [verdict("recall@1 on the demo's queries", model.all.recall1, 1)];
    if (words === undefined || words.all.ndcg10 === 0) return [];
    return [verdict(`nDCG@10 over BM25's on ${set}`, model.all.ndcg10 / words.all.ndcg10, 1.3)];
  });
}

/** @param {string} goal @param {number} value @param {number} least */
const verdict = (goal, value, least) => ({ goal, value, least, met: value >= least });

/** @param {ReturnType<typeof goals>} verdicts */
export function goalLines(verdicts) {
  return verdicts
    .map(
      ({ goal, value, least, met }) => `${met ? 'met' : 'NOT MET'}: ${goal} is ${value.toFixed(3)}, at least ${least}`,
    )
    .join('\n');
}
