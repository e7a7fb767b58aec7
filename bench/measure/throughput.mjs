/** Tokens per second of every contestant on the texts of a case. */
import { firstLine, judge, rowsOf } from './gate.mjs';
import { multipliersOf } from './probe.mjs';
import { interleavedRounds } from './rounds.mjs';
import { median, spreadPercent } from './statistics.mjs';
import { operations } from './work.mjs';

/**
 * @typedef {object} Row a variant in a case
 * @property {string} driver
 * @property {string} name
 * @property {import('../drivers/driver.mjs').Dtype} dtype
 * @property {'together' | 'batches' | 'single'} way
 * @property {boolean} forced to an instruction set that is not the machine's best
 * @property {number} texts
 * @property {number[]} seconds for its texts once, of every round
 * @property {number} rounds
 * @property {number} textsPerSecond at the median round
 * @property {number} tokensPerSecond at the median round; real tokens, no padding
 * @property {number} spreadPercent half of what lies between the slowest and the fastest round, of the median
 * @property {number} gflops at the median round, of operations on real tokens
 * @property {string} [instruction] whose rate the machine was asked for around each round
 * @property {number} [machineGops] median of those rates
 * @property {number} [ofMachine] gflops over the machine's rate in the same seconds, at the median round
 * @property {string} [setting] found to be its fastest for these texts
 * @property {number} leastCosine to the reference variant, over its texts
 * @property {{ exact?: number, int8?: number }} [ratios] tokens/s of gteway, the fastest way that keeps a cosine of 0.9999
 *   and the fastest int8, over this row's
 * @property {string} [failure] why it was not timed
 *
 * @typedef {{ name: string, about: string, kind: 'corpus' | 'length', texts: number, tokens: number, rows: Row[] }} CaseResult
 */

/**
 * @param {object} options
 * @param {import('../cases/cases.mjs').Case & { kind: 'corpus' | 'length' }} options.item
 * @param {(wanted: number) => string[]} options.textsOf that many, of the same distribution
 * @param {number} options.wanted texts of variants that have no limit of their own
 * @param {(text: string) => number} options.count tokens of a text
 * @param {import('./contestant.mjs').Contestant[]} options.contestants
 * @param {import('./contestant.mjs').Contestant | undefined} options.reference what all vectors are compared with
 * @param {import('./rounds.mjs').Pace & { tune: boolean }} options.pace
 * @param {import('./probe.mjs').Probe} options.probe
 * @param {string[]} options.flags of the machine
 * @param {import('./work.mjs').Shape} options.shape
 * @returns {Promise<CaseResult>}
 */
export async function measureThroughput(options) {
  const { item, textsOf, wanted, count, contestants, reference, pace, probe, flags, shape } = options;
  const all = textsOf(wanted);
  /** @type {Map<number, string[]>} */
  const samples = new Map([[wanted, all]]);
  const textsFor = (/** @type {import('./contestant.mjs').Contestant} */ { variant }) => {
    const size = Math.min(wanted, variant.texts ?? wanted);
    if (!samples.has(size)) samples.set(size, textsOf(size));
    return samples.get(size);
  };
  const instructions = new Map(contestants.map((contestant) => [contestant, instructionOf(contestant, flags)]));
  /** @type {Map<import('./contestant.mjs').Contestant, string>} */
  const settings = new Map();

  /** @type {Map<string, Promise<ArrayLike<number>[]> | undefined>} */
  const references = new Map();
  const expectedOf = (/** @type {import('./contestant.mjs').Contestant} */ contestant) => {
    const texts = textsFor(contestant);
    const { pooling } = contestant.variant;
    const key = `${texts.length} ${pooling}`;
    if (!references.has(key)) references.set(key, reference?.embed(texts, pooling).then(rowsOf));
    return references.get(key);
  };

  /** @type {Map<import('./contestant.mjs').Contestant, import('../drivers/driver.mjs').Vectors>} */
  const vectors = new Map();
  const timings = await interleavedRounds(
    contestants,
    pace,
    async (contestant) => {
      const setting = pace.tune ? await contestant.tune(textsFor(contestant)) : undefined;
      if (setting !== undefined) settings.set(contestant, setting);
      else await contestant.embed(textsFor(contestant).slice(0, contestant.variant.texts === undefined ? Infinity : 4));
    },
    async (contestant) => {
      const round = await contestant.round(textsFor(contestant), pace.secondsPerRound);
      if (!vectors.has(contestant)) vectors.set(contestant, round.vectors);
      return round.seconds;
    },
    (contestant) => probe.multiply(instructions.get(contestant))?.gops,
  );

  /** @type {Row[]} */
  const rows = [];
  for (const contestant of contestants) {
    const { samples: rounds, machine, failure } = timings.get(contestant);
    const lengths = textsFor(contestant).map(count);
    const got = failure ?? vectors.get(contestant) ?? 'it was given no round';
    const expected = await expectedOf(contestant)?.catch(firstLine);
    const verdict = judge(got, typeof expected === 'string' ? undefined : expected, contestant.variant.dtype);
    const seconds = verdict.failure === undefined ? rounds : [];
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const gops = operations(shape, lengths) / 1e9;
    rows.push({
      driver: contestant.driver,
      name: contestant.name,
      dtype: contestant.variant.dtype,
      way: contestant.variant.way,
      forced: contestant.variant.forcedIsa !== undefined,
      texts: lengths.length,
      seconds,
      rounds: seconds.length,
      textsPerSecond: lengths.length / median(seconds),
      tokensPerSecond: tokens / median(seconds),
      spreadPercent: spreadPercent(seconds),
      gflops: gops / median(seconds),
      ...(machine.length > 0 &&
        machine.length === seconds.length && {
          instruction: instructions.get(contestant),
          machineGops: median(machine),
          ofMachine: median(machine.map((rate, round) => gops / seconds[round] / rate)),
        }),
      ...(settings.has(contestant) && { setting: settings.get(contestant) }),
      ...verdict,
    });
  }
  addRatios(rows);
  const tokens = all.reduce((sum, text) => sum + count(text), 0);
  return { name: item.name, about: item.about, kind: item.kind, texts: all.length, tokens, rows };
}

/**
 * The instruction that a variant's products would best be made of, for the rate of the machine around its samples.
 *
 * @param {import('./contestant.mjs').Contestant} contestant
 * @param {string[]} flags
 */
function instructionOf({ driver, variant }, flags) {
  // WebAssembly has none of them.
  if (driver === 'onnxruntime-web') return undefined;
  const all = multipliersOf(variant.dtype, flags);
  return (all.find(({ isa }) => isa === variant.forcedIsa) ?? all[0])?.instruction;
}

/** @param {Row[]} rows */
function addRatios(rows) {
  // Ways that a user names: of the defaults, or of a forced instruction set, the best is among them anyway.
  const ours = rows.filter(
    ({ driver, dtype, way, forced, failure }) =>
      driver === 'gteway' && dtype !== 'auto' && way === 'together' && !forced && !failure,
  );
  const fastest = (/** @type {Row[]} */ some) => Math.max(...some.map(({ tokensPerSecond }) => tokensPerSecond));
  const exact = fastest(ours.filter(({ dtype }) => dtype !== 'int8'));
  const int8 = fastest(ours.filter(({ dtype }) => dtype === 'int8'));
  for (const row of rows) {
    if (row.driver === 'gteway' || row.failure) continue;
    row.ratios = {
      ...(exact > 0 && { exact: exact / row.tokensPerSecond }),
      ...(int8 > 0 && { int8: int8 / row.tokensPerSecond }),
    };
  }
}
