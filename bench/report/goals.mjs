/**
 * What the packed encoder is meant to reach, as data, and whether a run reached it. A goal that needs what the machine
 * lacks, or rows that did not run, is left out.
 *
 * @typedef {{ goal: string, measured: string, met: boolean }} Verdict
 *
 * @typedef {object} RatioGoal tokens/s of ours over theirs, or their p50 over ours
 * @property {string} ours a name, or what stands before its comma
 * @property {string} theirs the same
 * @property {number} least
 * @property {'amx' | 'without amx' | 'any'} machine
 * @property {'mixed' | 'lengths' | 'latency'} on lengths: the median over the cases of equal lengths
 */
import { median } from '../measure/statistics.mjs';
import { number } from './table.mjs';

/** @type {RatioGoal[]} */
const ratioGoals = [
  ...['mixed', 'lengths'].flatMap((on) => [
    ...amx('gteway encoder bf16', 'onnxruntime-node fp32', 8, on),
    ...amx('gteway encoder bf16', 'onnxruntime-node int8', 3.5, on),
    ...amx('gteway encoder int8', 'onnxruntime-node fp32', 12, on),
    ...amx('gteway encoder int8', 'onnxruntime-node int8', 5, on),
  ]),
  ...amx('gteway encoder bf16', 'transformers.js fp32, batches of 32', 60, 'mixed'),
  ...amx('gteway encoder bf16', 'transformers.js q8, batches of 32', 40, 'mixed'),
  ...amx('gteway encoder bf16', 'transformers.js fp32, one per call', 8, 'mixed'),
  ...amx('gteway encoder bf16', 'transformers.js q8, one per call', 5, 'mixed'),
  { ours: 'gteway encoder bf16', theirs: 'onnxruntime-node fp32', least: 4, machine: 'any', on: 'latency' },
  { ours: 'gteway encoder int8', theirs: 'onnxruntime-node int8', least: 2, machine: 'any', on: 'latency' },
  ...['mixed', 'lengths'].flatMap((on) => [
    ...without('gteway encoder int8', 'onnxruntime-node int8', 1.5, on),
    ...without('gteway encoder fp32', 'onnxruntime-node fp32', 1.2, on),
  ]),
  ...without('gteway encoder fp32 avx2', 'onnxruntime-node fp32', 1.2, 'mixed'),
];

/** Tokens/s with all threads over those with one, where the machine itself gains as much. */
const scalingGoal = 1.8;

/** @returns {RatioGoal[]} */
function amx(/** @type {string} */ ours, /** @type {string} */ theirs, /** @type {number} */ least, on = 'mixed') {
  return [{ ours, theirs, least, machine: 'amx', on: /** @type {any} */ (on) }];
}

/** @returns {RatioGoal[]} */
function without(/** @type {string} */ ours, /** @type {string} */ theirs, /** @type {number} */ least, on = 'mixed') {
  return [{ ours, theirs, least, machine: 'without amx', on: /** @type {any} */ (on) }];
}

/**
 * @param {(import('../measure/throughput.mjs').CaseResult | import('../measure/latency.mjs').LatencyResult |
 *   import('../measure/scaling.mjs').ScalingResult)[]} results
 * @param {string[]} flags of the machine
 * @returns {Verdict[]}
 */
export function verdicts(results, flags) {
  const hasAmx = flags.includes('amx_bf16');
  const ratios = ratioGoals
    .filter(({ machine }) => machine === 'any' || machine === (hasAmx ? 'amx' : 'without amx'))
    .flatMap((goal) => {
      const found = results.filter(({ name, kind }) => (goal.on === 'lengths' ? kind === 'length' : name === goal.on));
      const values = found.map((result) => ratio(result, goal)).filter((value) => value !== undefined);
      if (values.length === 0) return [];
      const where = goal.on === 'lengths' ? `texts of equal length (median of ${values.length} cases)` : goal.on;
      return [
        {
          goal: `${where}: ${goal.ours} at least ${goal.least} × ${goal.theirs}`,
          measured: `${number(median(values))} ×${goal.on === 'lengths' ? ` (${values.map(number).join(', ')})` : ''}`,
          met: median(values) >= goal.least,
        },
      ];
    });
  const scaling = results.flatMap((result) =>
    result.kind !== 'threads'
      ? []
      : result.rows
          .filter(({ gain, threads, name }) => Number.isFinite(gain) && threads === 2 && name.includes('encoder'))
          .map(({ name, gain, machineGain }) => ({
            goal: `${name}: 2 threads at least ${scalingGoal} × one, where the machine gains that`,
            measured: `${number(gain)} ×, the machine ${machineGain === undefined ? 'unknown' : `${number(machineGain)} ×`}`,
            met: gain >= scalingGoal || (machineGain !== undefined && machineGain < scalingGoal),
          })),
  );
  return [...ratios, ...scaling];
}

/**
 * @param {import('../measure/throughput.mjs').CaseResult | import('../measure/latency.mjs').LatencyResult |
 *   import('../measure/scaling.mjs').ScalingResult} result
 * @param {RatioGoal} goal
 * @returns {number | undefined}
 */
function ratio(result, { ours, theirs }) {
  if (result.kind === 'threads') return undefined;
  const find = (/** @type {string} */ beginning) =>
    /** @type {{ name: string, failure?: string }[]} */ (result.rows).find(
      ({ name, failure }) => failure === undefined && (name === beginning || name.startsWith(`${beginning},`)),
    );
  const [a, b] = [find(ours), find(theirs)];
  if (!a || !b) return undefined;
  return result.kind === 'latency'
    ? /** @type {any} */ (b).p50 / /** @type {any} */ (a).p50
    : /** @type {any} */ (a).tokensPerSecond / /** @type {any} */ (b).tokensPerSecond;
}
