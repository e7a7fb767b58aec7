/** A bulk job and an interactive client on one session: neither may starve the other. */
import { percentile } from '../measure/statistics.mjs';
import { latencyText, mebibytes, number, table } from '../report/table.mjs';

/** The client's p95 beside the bulk job, over its p95 alone. */
const latencyGoal = 3;
/** The bulk job's texts/s beside the client, over its texts/s alone. */
const throughputGoal = 0.85;
const client = { perSecond: 10, drainSeconds: 30 };

/** @type {import('./cases.mjs').ServingCase} */
export const fairness = {
  name: 'fairness',
  about: `one embed() of many queries, and a client that asks for one query ${client.perSecond} times a second`,
  besideOthers: false,

  async run({ startOurs, texts, settings, print, note }) {
    const total = settings.texts ?? (settings.quick ? 4000 : 50_000);
    const alone = Math.min(total, Math.max(1000, Math.round(total / 5)));
    const server = await startOurs();
    const bulkTexts = texts('queries', total);
    const requests = texts('queries', total + 4000).slice(total);
    const idleSeconds = settings.quick ? 5 : 15;
    const idle = (/** @type {number} */ seed) =>
      server.ask('openLoop', { texts: requests, seed, seconds: idleSeconds, ...client });

    // Alone, together, alone again: a machine that changes its speed meanwhile is seen to do so.
    await server.ask('together', { texts: bulkTexts.slice(0, 500) });
    note('the client alone …');
    const clientBefore = await idle(1);
    note(`${alone.toLocaleString('en')} texts alone …`);
    const bulkBefore = await server.ask('together', { texts: bulkTexts.slice(0, alone) });
    note(`${total.toLocaleString('en')} texts and the client …`);
    const both = await server.ask('bulkBeside', { bulkTexts, texts: requests, seed: 2, ...client });
    note(`${alone.toLocaleString('en')} texts alone …`);
    const bulkAfter = await server.ask('together', { texts: bulkTexts.slice(-alone) });
    note('the client alone …');
    const clientAfter = await idle(3);

    const rate = (/** @type {{ texts: number, seconds: number }} */ job) => job.texts / job.seconds;
    const lone = (bulkBefore.texts + bulkAfter.texts) / (bulkBefore.seconds + bulkAfter.seconds);
    const idleLatencies = [...clientBefore.latencies, ...clientAfter.latencies];
    const idleP95 = percentile(idleLatencies, 95);
    const busyP95 = percentile(both.client.latencies, 95);

    const latencyRow = (/** @type {string} */ name, /** @type {number[]} */ latencies) => [
      name,
      String(latencies.length),
      ...[50, 95, 99].map((percent) => latencyText(percentile(latencies, percent))),
    ];
    print(
      '\n' +
        table(
          ['client', 'requests', 'p50 ms', 'p95 ms', 'p99 ms'],
          [
            latencyRow('alone, before', clientBefore.latencies),
            latencyRow('beside the bulk job', both.client.latencies),
            latencyRow('alone, after', clientAfter.latencies),
          ],
        ),
    );
    print(
      '\n' +
        table(
          ['bulk job', 'texts', 'seconds', 'texts/s'],
          [
            ['alone, before', bulkBefore],
            ['beside the client', both.bulk],
            ['alone, after', bulkAfter],
          ].map(([name, job]) => [name, job.texts.toLocaleString('en'), number(job.seconds), number(rate(job))]),
        ),
    );
    print(`\nresident: ${mebibytes(both.residentBefore)} before, ${mebibytes(both.residentPeak)} at most during both`);
    const refused = both.client.rejected + Object.keys(both.client.failures).length;

    return {
      figures: {
        client: { before: clientBefore, beside: both.client, after: clientAfter },
        bulk: { before: bulkBefore, beside: both.bulk, after: bulkAfter },
        residentBefore: both.residentBefore,
        residentPeak: both.residentPeak,
      },
      verdicts: [
        {
          goal: `the client's p95 at most ${latencyGoal} × its p95 alone`,
          measured: `${latencyText(busyP95)} ms to ${latencyText(idleP95)} ms, ${number(busyP95 / idleP95)} ×`,
          met: busyP95 <= latencyGoal * idleP95,
        },
        {
          goal: `the bulk job keeps ${throughputGoal * 100} % of its texts/s alone`,
          measured: `${number((100 * rate(both.bulk)) / lone)} %`,
          met: rate(both.bulk) >= throughputGoal * lone,
        },
        {
          goal: 'the client is never refused',
          measured: refused === 0 ? 'it never was' : JSON.stringify([both.client.rejected, both.client.failures]),
          met: refused === 0,
        },
      ],
    };
  },
};
