/** Latency and throughput of a server at rising load, beside the same load on another library. */
import { median, percentile, spreadPercent } from '../measure/statistics.mjs';
import { latencyText, number, table } from '../report/table.mjs';

const fractions = [0.25, 0.5, 0.75, 0.9, 1.1];
const quickFractions = [0.5, 0.9, 1.1];
/** Of its own capacity, for a look at each library under a load that suits it. */
const ownFraction = 0.75;
/** Milliseconds by which the event-loop delay's p99 may exceed that of the idle process. */
const eventLoopGoal = 5;
/** Enough for every library here to be as fast as it gets. */
const inFlight = 64;

/** @type {import('./cases.mjs').ServingCase} */
export const load = {
  name: 'load',
  about: 'requests of one mixed text each, arriving as a Poisson process, the same arrivals for all',
  besideOthers: true,

  async run({ startAll, texts: textsOf, settings, print, note }) {
    const seconds = settings.seconds ?? (settings.quick ? 2 : 12);
    const servers = await startAll();
    const texts = textsOf('mixed', 20_000);

    /** @type {Map<string, number[]>} texts/s */
    const rates = new Map(servers.map(({ name }) => [name, []]));
    for (let round = 0; round < (settings.quick ? 2 : 3); round++) {
      for (const server of servers) {
        note(`capacity of ${server.name} …`);
        const amount = { inFlight, seconds: settings.quick ? 1 : 4 };
        const done = await server.ask('capacity', { texts: texts.slice(round * 5000), ...amount });
        rates.get(server.name).push(done.texts / done.seconds);
      }
    }
    const capacities = servers.map(({ name }) => ({
      name,
      textsPerSecond: median(rates.get(name)),
      spreadPercent: spreadPercent(rates.get(name)),
    }));
    print(
      '\n' +
        table(
          [`capacity, ${inFlight} requests under way`, 'texts/s', '± %', 'event loop idle p99, ms'],
          await Promise.all(
            capacities.map(async (entry, index) => {
              const idle = await servers[index].ask('idle', { seconds: settings.quick ? 1 : 3 });
              return [
                entry.name,
                number(entry.textsPerSecond),
                number(entry.spreadPercent),
                number(idle.eventLoop.p99),
              ];
            }),
          ),
        ),
    );

    /** @type {(server: import('./cases.mjs').Server, perSecond: number, seed: number) => Promise<any>} */
    const underLoad = async (server, perSecond, seed) => {
      note(`${number(perSecond)} requests/s on ${server.name} …`);
      const idle = await server.ask('idle', { seconds: 1 });
      const { latencies, ...result } = await server.ask('openLoop', {
        ...{ texts: texts.slice(seed * 2500), perSecond, seed, seconds },
        drainSeconds: settings.quick ? 1 : 4,
      });
      // What it could not answer must not slow down the next one.
      if (result.unfinished > 0) await server.restart();
      return {
        name: server.name,
        perSecond,
        ...result,
        textsPerSecond: result.completed / result.seconds,
        p50: percentile(latencies, 50),
        p95: percentile(latencies, 95),
        p99: percentile(latencies, 99),
        eventLoopAboveIdle: result.eventLoop.p99 - idle.eventLoop.p99,
      };
    };

    const loads = [];
    for (const [index, fraction] of (settings.quick ? quickFractions : fractions).entries()) {
      const perSecond = fraction * capacities[0].textsPerSecond;
      const rows = [];
      for (const server of servers) rows.push(await underLoad(server, perSecond, index));
      loads.push({ fraction, perSecond, rows });
      print('\n' + loadTable(`${Math.round(fraction * 100)} % of gteway's capacity`, rows));
    }
    const own = [];
    for (const [index, server] of servers.entries()) {
      own.push(await underLoad(server, ownFraction * capacities[index].textsPerSecond, fractions.length));
    }
    print('\n' + loadTable(`each at ${ownFraction * 100} % of its own capacity`, own));

    const full = loads[loads.length - 1].rows[0];
    const failures = loads.flatMap(({ rows }) => Object.keys(rows[0].failures));
    return {
      figures: { capacities, loads, own },
      verdicts: [
        {
          goal: `event-loop delay p99 at 110 % load at most ${eventLoopGoal} ms above idle`,
          measured: `${number(full.eventLoopAboveIdle)} ms`,
          met: full.eventLoopAboveIdle <= eventLoopGoal,
        },
        {
          goal: 'no request of gteway fails for another reason than a full queue',
          measured: failures.length === 0 ? 'none did' : failures.join('; '),
          met: failures.length === 0,
        },
      ],
    };
  },
};

/**
 * @param {string} title
 * @param {any[]} rows
 */
function loadTable(title, rows) {
  const heading = [
    title,
    'requests/s',
    'answered/s',
    'p50 ms',
    'p95 ms',
    'p99 ms',
    'rejected',
    'failed',
    'unanswered',
    'loop p99 ms',
    'loop max ms',
  ];
  return table(
    heading,
    rows.map((row) => [
      row.name,
      number(row.perSecond),
      number(row.textsPerSecond),
      latencyText(row.p50),
      latencyText(row.p95),
      latencyText(row.p99),
      String(row.rejected),
      String(sum(Object.values(row.failures))),
      String(row.unfinished),
      latencyText(row.eventLoop.p99),
      latencyText(row.eventLoop.max),
    ]),
  );
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
