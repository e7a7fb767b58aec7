/**
 * One text on many threads. Measured: what more threads than processors cost, and how often threads are woken and look for
 * work. Simulated, from the pieces measured here: machines with more processors than this one.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { countedTexts } from '../cases/counted-texts.mjs';
import { buildNative } from '../measure/native-target.mjs';
import { median } from '../measure/statistics.mjs';
import { benchModel } from '../model.mjs';
import { defaultCosts, simulate } from './schedule.mjs';

const usage = `npm run bench -- sharing [options]
  --threads LIST    sessions with so many threads, the first is what the others are compared with (default: all
                    ${availableParallelism()} processors, then 8,16,64)
  --rounds N        in turns (default 7)
  --dtype TYPE      (default bf16 where the machine has it, else fp32)
  --pieces FILE     pieces measured elsewhere, by build/tests/gteway_encoder_bench --only sharing; simulates alone
  --model DIR       a model directory instead of the one made in bench/.cache
  --json FILE       write all results`;

const turnMilliseconds = 200;
const loads = [
  { name: 'one query at a time', calls: 1, batch: 1 },
  { name: '8 queries at a time', calls: 8, batch: 1 },
  { name: '2 calls of 128 queries', calls: 2, batch: 128 },
];
const simulatedProcessors = [1, 2, 8, 16, 32, 64, 128];

/** @param {string[]} args */
export async function runSharing(args) {
  const { values } = parseArgs({
    args,
    options: {
      threads: { type: 'string', default: [availableParallelism(), 8, 16, 64].join(',') },
      rounds: { type: 'string', default: '7' },
      dtype: { type: 'string', default: 'auto' },
      pieces: { type: 'string' },
      model: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const counts = values.threads.split(',').map(Number);
  const rounds = Number(values.rounds);
  if (!(rounds >= 1) || !counts.every((count) => Number.isInteger(count) && count > 0)) throw new RangeError(usage);

  const oversubscribed = values.pieces === undefined ? await oversubscription(counts, rounds, values) : undefined;
  const report = values.pieces === undefined ? measurePieces(values.dtype) : readFileSync(values.pieces, 'utf8');
  if (values.pieces === undefined) console.log(`\n${report}`);
  const simulated = simulateAll(report);
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ oversubscribed, report, simulated }, undefined, 1));
  }
}

/**
 * @param {number[]} counts
 * @param {number} rounds
 * @param {{ dtype: string, model?: string }} options
 */
async function oversubscription(counts, rounds, { dtype, model: directory }) {
  const model = await benchModel(directory);
  const texts = countedTexts(model.directory, model.corpus, () => 0).corpus('queries');
  const { Session } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const sessions = [];
  for (const threads of counts) {
    sessions.push(await Session.load(model.directory, { engine: 'encoder', dtype, threads }));
  }
  const { dtype: ran, isa } = sessions[0].info;
  console.log(
    `${model.about}; encoder ${ran}, ${isa}; ${availableParallelism()} processors; medians of ${rounds} rounds`,
  );
  let next = 1e6;
  const turn = async (/** @type {any} */ session, /** @type {{ calls: number, batch: number }} */ { calls, batch }) => {
    const start = performance.now();
    const cpu = process.cpuUsage();
    let done = 0;
    const caller = async () => {
      do {
        await session.embed(Array.from({ length: batch }, () => `${texts[next % texts.length]} ${next++}`));
        done += batch;
      } while (performance.now() < start + turnMilliseconds);
    };
    await Promise.all(Array.from({ length: calls }, caller));
    const { user, system } = process.cpuUsage(cpu);
    return { perSecond: (done / (performance.now() - start)) * 1000, processor: (user + system) / 1000 / done };
  };
  /** @type {Record<string, { threads: number, perSecond: number, ratio: number, processor: number }[]>} */
  const results = {};
  for (const load of loads) {
    /** @type {Awaited<ReturnType<typeof turn>>[][]} */
    const samples = counts.map(() => []);
    for (let round = -1; round < rounds; round++) {
      for (let i = 0; i < counts.length; i++) {
        const which = (i + round + counts.length) % counts.length;
        const sample = await turn(sessions[which], load);
        if (round >= 0) samples[which].push(sample);
      }
    }
    results[load.name] = counts.map((threads, which) => ({
      threads,
      perSecond: median(samples[which].map(({ perSecond }) => perSecond)),
      ratio: median(samples[which].map(({ perSecond }, round) => perSecond / samples[0][round].perSecond)),
      processor: median(samples[which].map(({ processor }) => processor)),
    }));
  }
  await Promise.all(sessions.map((session) => session.close()));
  console.log(`\n| | threads | texts/s | of ${counts[0]} threads | processor time, ms a text |`);
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const [name, rows] of Object.entries(results)) {
    for (const { threads, perSecond, ratio, processor } of rows) {
      const cells = [name, threads, perSecond.toFixed(0), `${(ratio * 100).toFixed(0)} %`, processor.toFixed(2)];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
  return results;
}

/** @param {string} dtype */
function measurePieces(dtype) {
  const program = buildNative('gteway_encoder_bench');
  const args = ['--only', 'sharing', ...(dtype === 'auto' ? [] : ['--dtype', dtype])];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return stdout;
}

/** @param {string} report what the native bench printed */
function simulateAll(report) {
  const rows = [];
  for (const line of report.split('\n')) {
    const told = /^pieces (\{.*\})$/.exec(line);
    if (told === null) continue;
    const { dtype, tokens, layers, works, threads } = JSON.parse(told[1]);
    for (const processors of simulatedProcessors) {
      rows.push({
        ...{ dtype, tokens, processors },
        threads: threads[String(processors)],
        before: simulate({ works, layers, threads: processors, schedule: 'one line' }),
        after: simulate({ works, layers, threads: threads[String(processors)], schedule: 'own lines' }),
      });
    }
  }
  const { transfer, wake } = defaultCosts;
  console.log(
    `\nsimulated: ${transfer * 1e9} ns to fetch a line another core wrote, ${wake * 1e6} µs to wake a thread; pieces as measured here`,
  );
  console.log('| dtype | tokens | processors | all share one line, ms | threads by work | own lines, ms |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const { dtype, tokens, processors, threads, before, after } of rows) {
    const cells = [dtype, tokens, processors, (before * 1e3).toFixed(2), threads, (after * 1e3).toFixed(2)];
    console.log(`| ${cells.join(' | ')} |`);
  }
  return rows;
}
