/**
 * Two builds of gteway in one run, in turns: what changed beyond noise.
 *
 * The unit is a pair of fresh processes, one of each build. Where the system places a process' memory and threads makes
 * two processes of the very same build differ by a percent or so for as long as they live, so many samples of one pair
 * would be sure of a difference that is none. Within a pair the builds take turns a few times, a tenth of a second each,
 * so that both see the same machine; of each pair the median of its turns is kept, and pairs are what is counted.
 */
import { countedTexts } from '../cases/counted-texts.mjs';
import { Contestant } from '../measure/contestant.mjs';
import { leastCosine, rowsOf, smallestCosine } from '../measure/gate.mjs';
import { machine } from '../measure/machine.mjs';
import { median } from '../measure/statistics.mjs';
import { changeOf } from './judge.mjs';
import { comparisonText } from './report.mjs';

/**
 * `turns` of each build in a pair, of at least so many seconds each; `share` of a case's texts, so that a turn is short.
 * Fewer than 15 pairs can prove nothing at the risk of judge.mjs.
 */
const paces = {
  full: { pairs: 25, turns: 4, seconds: 0.15, share: 1 },
  quick: { pairs: 15, turns: 2, seconds: 0.06, share: 0.5 },
};

/** @type {(import('../drivers/driver.mjs').Variant & { quick: boolean })[]} */
const variants = [
  { name: 'defaults', dtype: 'auto', way: 'together', quick: true },
  { name: 'encoder int8', dtype: 'int8', way: 'together', session: { engine: 'encoder' }, quick: true },
  { name: 'encoder fp32', dtype: 'fp32', way: 'together', session: { engine: 'encoder' }, quick: false },
];

/**
 * @typedef {'time' | 'processor time'} Measure
 *
 * @typedef {object} ComparisonRow
 * @property {string} name
 * @property {Measure} measure
 * @property {number} before milliseconds of the other build, for all texts of the case, or for one call of `latency`
 * @property {number} after of this checkout
 * @property {number} pairs
 * @property {import('./judge.mjs').Change} change
 *
 * @typedef {object} Comparison
 * @property {string} before
 * @property {string} after
 * @property {ReturnType<typeof machine>} machine
 * @property {number} threads
 * @property {number} seconds that the run took
 * @property {ComparisonRow[]} rows
 * @property {{ name: string, cosine: number, wrong: boolean }[]} vectors the least cosine between the builds' vectors
 * @property {{ name: string, reason: string }[]} missing what one of the builds cannot run
 */

/**
 * @param {object} options
 * @param {import('./other-build.mjs').Build} options.before
 * @param {import('./other-build.mjs').Build} options.after
 * @param {import('../model.mjs').BenchModel} options.model
 * @param {import('../cases/cases.mjs').Case[]} options.cases
 * @param {string[]} options.wanted parts of variant names; empty: all
 * @param {boolean} options.quick
 * @param {number} options.threads
 * @param {(text: string) => void} options.print
 * @param {(text: string) => void} options.note progress
 * @returns {Promise<Comparison>}
 */
export async function runComparison({ before, after, model, cases, wanted, quick, threads, print, note }) {
  const began = performance.now();
  const { Tokenizer } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const tokenizer = await Tokenizer.fromDirectory(model.directory);
  const pace = quick ? paces.quick : paces.full;
  const source = countedTexts(model.directory, model.corpus, (text) => tokenizer.count(text));
  const inputs = cases.map((item) => ({ item, texts: source.texts(item, Math.ceil(item.quickTexts * pace.share)) }));
  const taking = variants.filter(({ name, quick: isQuick }) =>
    wanted.length > 0 ? wanted.some((part) => name.includes(part)) : isQuick || !quick,
  );
  if (taking.length === 0)
    throw new RangeError(`--driver: --compare has ${variants.map(({ name }) => name).join(', ')}`);

  /** @type {Map<string, { variant: string, item: string, measure: Measure, ratios: number[], before: number[], after: number[] }>} */
  const kept = new Map();
  /** @type {Comparison['vectors']} */
  const vectors = [];
  /** @type {Comparison['missing']} */
  const missing = [];
  for (let pair = 0; pair < pace.pairs; pair++) {
    if (pair % 5 === 0) note(`pair ${pair + 1} of ${pace.pairs} …`);
    for (const variant of taking) {
      if (missing.some(({ name }) => name === variant.name)) continue;
      const builds = [before, after].map(({ root }) => new Contestant('gteway', { ...variant, root }));
      try {
        // One after the other, begun by either: the first one to run warms the caches of files for the second.
        for (const build of turned(builds, pair)) await build.load({ modelDirectory: model.directory, threads });
        for (const { item, texts } of inputs) {
          if (pair === 0) vectors.push(await compareVectors(builds, texts, `${item.name}, ${variant.name}`, variant));
          const samples = await takeTurns(builds, item, texts, pace, pair);
          for (const [measure, ours] of Object.entries(samples)) {
            const key = `${item.name}, ${variant.name}, ${measure}`;
            if (!kept.has(key)) {
              const empty = { ratios: [], before: [], after: [] };
              kept.set(key, {
                variant: variant.name,
                item: item.name,
                measure: /** @type {any} */ (measure),
                ...empty,
              });
            }
            const row = kept.get(key);
            row.ratios.push(median(ours.map(([one, other]) => other / one)));
            row.before.push(median(ours.map(([one]) => one)));
            row.after.push(median(ours.map(([, other]) => other)));
          }
        }
      } catch (error) {
        if (pair > 0) throw error;
        missing.push({ name: variant.name, reason: /** @type {Error} */ (error).message.split('\n', 1)[0] });
      } finally {
        await Promise.all(builds.map((build) => build.stop()));
      }
    }
  }
  const rows = [...kept.values()].map(({ variant, item, measure, ratios, before: one, after: other }) => ({
    name: `${item}, ${variant}`,
    measure,
    before: 1000 * median(one),
    after: 1000 * median(other),
    pairs: ratios.length,
    change: changeOf(ratios, kept.size),
  }));
  const seconds = (performance.now() - began) / 1000;
  const result = {
    before: before.name,
    after: after.name,
    machine: machine(),
    threads,
    seconds,
    rows,
    vectors,
    missing,
  };
  print(comparisonText(result));
  return result;
}

/**
 * @template T
 * @param {T[]} two
 * @param {number} turn
 */
function turned(two, turn) {
  return turn % 2 === 0 ? two : [...two].reverse();
}

/**
 * @param {Contestant[]} builds before and after
 * @param {import('../cases/cases.mjs').Case} item
 * @param {string[]} texts
 * @param {{ turns: number, seconds: number }} pace
 * @param {number} pair
 * @returns {Promise<Record<Measure, number[][]>>} of each turn, the seconds of both builds
 */
async function takeTurns(builds, item, texts, { turns, seconds }, pair) {
  const turn = async (/** @type {Contestant} */ build) => {
    const began = await build.processorSeconds();
    if (item.kind === 'latency') {
      const calls = await build.latencies(texts, seconds);
      return [median(calls) / 1000, ((await build.processorSeconds()) - began) / calls.length];
    }
    const round = await build.round(texts, seconds);
    return [round.seconds, ((await build.processorSeconds()) - began) / round.times];
  };
  for (const build of turned(builds, pair)) await turn(build);
  /** @type {Record<Measure, number[][]>} */
  const samples = { time: [], 'processor time': [] };
  for (let next = 0; next < turns; next++) {
    /** @type {Map<Contestant, number[]>} */
    const times = new Map();
    for (const build of turned(builds, next + pair)) times.set(build, await turn(build));
    const [one, other] = builds.map((build) => times.get(build));
    samples.time.push([one[0], other[0]]);
    samples['processor time'].push([one[1], other[1]]);
  }
  return samples;
}

/**
 * A build that is faster because its vectors are others has not become faster.
 *
 * @param {Contestant[]} builds
 * @param {string[]} texts
 * @param {string} name
 * @param {import('../drivers/driver.mjs').Variant} variant
 */
async function compareVectors([before, after], texts, name, { dtype }) {
  const cosine = smallestCosine(await after.embed(texts), rowsOf(await before.embed(texts)));
  return { name, cosine, wrong: !(cosine >= leastCosine[dtype]) };
}
