/** Memory of a server that is asked for more than it can do, for as long as one cares to wait. */
import { fitLine, median, percentile } from '../measure/statistics.mjs';
import { latencyText, mebibytes, number, table } from '../report/table.mjs';

const overload = 1.1;
/** Small enough that it is full within seconds, so that what is watched is the steady state. */
const maxQueue = 256;
/** The first part of the time, while pools, caches and the queue fill. */
const settling = 0.2;
/** A resident size is called flat where the line fitted to it rises by less than this part of it, settling left out. */
const flat = 0.02;

/** @type {import('./cases.mjs').ServingCase} */
export const soak = {
  name: 'soak',
  about: `mixed texts at ${Math.round(overload * 100)} % of capacity, a queue of ${maxQueue}, resident size over time`,
  besideOthers: false,

  async run({ startOurs, texts: textsOf, settings, print, note }) {
    const minutes = settings.minutes ?? (settings.quick ? 0.5 : 10);
    const server = await startOurs({ maxQueue });
    const texts = textsOf('mixed', 20_000);
    note('capacity …');
    const rates = [];
    for (let round = 0; round < 3; round++) {
      const done = await server.ask('capacity', { texts: texts.slice(round * 3000), inFlight: 64, seconds: 3 });
      rates.push(done.texts / done.seconds);
    }
    const perSecond = overload * median(rates);
    note(`${minutes} minutes at ${number(perSecond)} requests/s …`);
    const { samples, latencies, ...result } = await server.ask('soak', {
      texts,
      perSecond,
      seed: 1,
      seconds: minutes * 60,
      drainSeconds: 30,
      sampleSeconds: Math.max(0.5, Math.min(5, minutes)),
    });
    const settled = samples.filter((/** @type {any} */ { seconds }) => seconds >= settling * minutes * 60);
    /** @returns {number} bytes per minute */
    const growth = (/** @type {'rss' | 'heapUsed' | 'external'} */ part) =>
      fitLine(
        settled.map((/** @type {any} */ { seconds }) => seconds / 60),
        settled.map((/** @type {any} */ sample) => sample[part]),
      ).slope;
    const watched = (settled[settled.length - 1].seconds - settled[0].seconds) / 60;
    const rise = growth('rss') * watched;
    const resident = median(settled.map((/** @type {any} */ { rss }) => rss));

    const shown = Array.from({ length: 11 }, (_, index) => samples[Math.round((index / 10) * (samples.length - 1))]);
    print(
      '\n' +
        table(
          ['minute', 'resident', 'V8 heap in use', 'external'],
          shown.map(({ seconds, rss, heapUsed, external }) => [
            number(seconds / 60),
            ...[rss, heapUsed, external].map(mebibytes),
          ]),
        ),
    );
    print(
      `\n${result.offered.toLocaleString('en')} requests, ${number(result.completed / result.seconds)} answered/s, ` +
        `${result.rejected.toLocaleString('en')} rejected, p50 ${latencyText(percentile(latencies, 50))} ms, ` +
        `p99 ${latencyText(percentile(latencies, 99))} ms; failures: ${JSON.stringify(result.failures)}`,
    );
    const kibibytes = (/** @type {number} */ bytes) => `${number(bytes / 1024)} KiB`;
    const otherwise = [
      ...Object.keys(result.failures),
      ...(result.unfinished > 0 ? ['requests without an answer'] : []),
    ];
    return {
      figures: { minutes, perSecond, ...result, latencies, samples, rise, resident },
      verdicts: [
        {
          goal: `resident size flat: rises by at most ${flat * 100} % in ${number(watched)} minutes`,
          measured: `${number((100 * rise) / resident)} %, ${kibibytes(growth('rss'))} a minute (V8 heap ${kibibytes(growth('heapUsed'))})`,
          met: rise <= flat * resident,
        },
        {
          goal: 'requests beyond the queue are rejected, and none fails otherwise',
          measured:
            otherwise.length > 0
              ? otherwise.join('; ')
              : result.rejected > 0
                ? `${result.rejected.toLocaleString('en')} rejected`
                : 'none was: the machine is faster than when its capacity was measured',
          met: result.rejected > 0 && otherwise.length === 0,
        },
      ],
    };
  },
};
