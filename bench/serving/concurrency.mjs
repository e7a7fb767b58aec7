/** What scheduling costs: many calls of one text each, beside one call of the same texts. */
import { median, spreadPercent } from '../measure/statistics.mjs';
import { latencyText, number, table } from '../report/table.mjs';

/** Texts/s of concurrent run() calls over those of one embed(). */
const goal = 0.9;
const inFlight = [64, 256, 1024];

/** @type {import('./cases.mjs').ServingCase} */
export const concurrency = {
  name: 'concurrency',
  about: 'run(text), many calls at a time, beside one embed() of the same texts',
  besideOthers: false,

  async run({ startOurs, texts: textsOf, settings, print, note }) {
    const server = await startOurs();
    const amounts = settings.quick ? { queries: 512, mixed: 128 } : { queries: 2048, mixed: 1024 };
    const rounds = settings.quick ? 2 : 3;
    const results = [];
    for (const [corpus, count] of Object.entries(amounts)) {
      const texts = textsOf(/** @type {'queries' | 'mixed'} */ (corpus), count);
      await server.ask('together', { texts: texts.slice(0, 128) });
      const ways = [
        { name: 'one embed()', experiment: 'together', inFlight: undefined },
        ...inFlight.map((calls) => ({ name: `run(), ${calls} at a time`, experiment: 'requests', inFlight: calls })),
      ].map((way) => ({ ...way, rates: /** @type {number[]} */ ([]), loop: /** @type {number[]} */ ([]) }));
      for (let round = 0; round < rounds; round++) {
        note(`${corpus}, round ${round + 1} …`);
        for (let place = 0; place < ways.length; place++) {
          const way = ways[(place + round) % ways.length];
          const { seconds, eventLoop } = await server.ask(way.experiment, { texts, inFlight: way.inFlight });
          way.rates.push(texts.length / seconds);
          way.loop.push(eventLoop.p99);
        }
      }
      const rows = ways.map(({ name, rates, loop }) => ({
        name,
        textsPerSecond: median(rates),
        spreadPercent: spreadPercent(rates),
        // Of rates in the same round: what the machine did meanwhile met both.
        ratio: median(rates.map((rate, round) => rate / ways[0].rates[round])),
        eventLoopP99: median(loop),
        rates,
      }));
      results.push({ corpus, texts: count, rows });
      print(
        '\n' +
          table(
            [`${count.toLocaleString('en')} ${corpus} texts`, 'texts/s', '± %', 'of one embed()', 'loop p99 ms'],
            rows.map((row) => [
              row.name,
              number(row.textsPerSecond),
              number(row.spreadPercent),
              number(row.ratio),
              latencyText(row.eventLoopP99),
            ]),
          ),
      );
    }
    return {
      figures: results,
      verdicts: results.flatMap(({ corpus, rows }) =>
        rows.slice(1).map(({ name, ratio }) => ({
          goal: `${corpus}: ${name} at least ${goal * 100} % of one embed()`,
          measured: `${number(ratio * 100)} %`,
          met: ratio >= goal,
        })),
      ),
    };
  },
};
