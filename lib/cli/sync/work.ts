/** `gteway sync work`: a worker, until it is told to stop. What it does is said on stderr, and counted for Prometheus. */
import { type Command, Command as NewCommand, Option } from 'commander';
import { BatchMeter, startMetricsServer } from '../../sync/metrics.js';
import { refuseSharedServers } from '../../sync/pooler.js';
import { checkChunks } from '../../sync/embedding.js';
import { readStatus } from '../../sync/status.js';
import { SyncWorker } from '../../sync/worker.js';
import { isPassing } from '../../sync/connection.js';
import { wholeNumber } from '../arguments.js';
import { CommandError, note } from '../failure.js';
import { onInterruption, takeOverFirstSignal } from '../interruption.js';
import { addRuntimeOptions, openSession, type SessionFlags } from '../model-options.js';
import { progress } from '../progress.js';
import { addTargetOptions, type TargetFlags, withTarget } from './database.js';

interface WorkFlags extends TargetFlags, Omit<SessionFlags, 'dtype'> {
  batch: number;
  lanes: number;
  lease: number;
  poll: number;
  once?: true;
  metrics?: Endpoint;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `9090`, or `0.0.0.0:9090`. */
function endpoint(text: string): Endpoint {
  const match = /^(?:(.+):)?(\d+)$/.exec(text);
  return { host: match?.[1] ?? '127.0.0.1', port: wholeNumber(0)(match?.[2] ?? text) };
}

export function workCommand(): Command {
  const command = new NewCommand('work')
    .summary('embed what is queued, until stopped')
    .description('Embed what is queued, until stopped. Any number of these may run, on any number of hosts.')
    .addOption(new Option('--once', 'end when nothing is due'))
    .addOption(new Option('--batch <tokens>', 'tokens in a batch').argParser(wholeNumber(1)).default(16_384))
    .addOption(new Option('--lanes <n>', 'batches under way at once').argParser(wholeNumber(1)).default(2))
    .addOption(
      new Option('--lease <seconds>', 'a worker that is silent for so long loses its jobs')
        .argParser(wholeNumber(1))
        .default(60),
    )
    .addOption(new Option('--poll <seconds>', 'look at an empty queue so often').argParser(wholeNumber(1)).default(1))
    .addOption(
      new Option('--metrics <[host:]port>', 'serve metrics for Prometheus at /metrics there').argParser(endpoint),
    );
  addRuntimeOptions(command);
  return addTargetOptions(command).action(async (flags: WorkFlags) => work(flags));
}

async function work({ batch, lanes, lease, poll, once, metrics, ...flags }: WorkFlags): Promise<void> {
  await withTarget(flags, lanes + 1, async (pool, target) => {
    const { config } = target;
    await refuseSharedServers(pool);
    const { session } = await openSession({
      ...flags,
      model: config.model,
      ...(config.dtype === undefined ? {} : { dtype: config.dtype }),
    });
    const meter = new BatchMeter(pool, target);
    const server = metrics === undefined ? undefined : await startMetricsServer(meter, metrics);
    if (server !== undefined) note(`metrics at ${server.url}`);
    try {
      if (session.info.dimensions < target.dimensions) {
        throw new CommandError(
          `${config.model} makes ${session.info.dimensions} values here, and the table wants ${target.dimensions}: it is another model`,
        );
      }
      await checkChunks(session, config);
      const options = { tokens: batch, lanes, lease, poll, once: once === true };
      const bar = new QueueBar(async () => {
        const { pending, running } = await readStatus(pool, target);
        return pending + running;
      });
      const worker = new SyncWorker(pool, target, session, options, {
        batch(report, seconds) {
          meter.count(report, seconds);
          bar.add(report.written);
          for (const { reason } of report.failures) note(`a row failed: ${reason}`);
        },
        away: (error, seconds) => note(`the database is away (${error.message}); again in ${seconds.toFixed(1)} s`),
        back: () => note('the database is back'),
      });
      takeOverFirstSignal(() => {
        note('stopping: what is being embedded is still written');
        worker.stop();
      });
      try {
        await worker.run();
      } finally {
        bar.stop();
      }
    } catch (error) {
      if (isPassing(error)) throw new CommandError(`the database: ${(error as Error).message}`, { cause: error });
      throw error;
    } finally {
      await server?.close();
      await session.close();
    }
  });
}

/** Rows on a terminal: those written against all that were queued, which is asked for now and then. */
class QueueBar {
  readonly #left: () => Promise<number>;
  #bar: ReturnType<typeof progress> | undefined;
  #done = 0;
  #total = 0;
  readonly #begin = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #forget: () => void;

  constructor(left: () => Promise<number>) {
    this.#left = left;
    this.#forget = onInterruption(() => this.stop());
    if (!process.stderr.isTTY) return;
    this.#timer = setInterval(() => this.#ask(), 2000);
    this.#timer.unref();
    this.#ask();
  }

  add(rows: number): void {
    this.#done += rows;
    if (this.#total === 0) return;
    const rate = Math.round(this.#done / ((performance.now() - this.#begin) / 1000));
    this.#bar?.update(
      Math.min(this.#done, this.#total),
      `${this.#done.toLocaleString('en')} rows, ${rate.toLocaleString('en')}/s`,
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#bar?.stop();
    this.#forget();
  }

  #ask(): void {
    this.#left().then(
      (left) => {
        const total = this.#done + left;
        if (total === 0 || total === this.#total) return;
        // The bar's length is fixed: another one takes its place.
        this.#bar?.stop();
        this.#total = total;
        this.#bar = progress('embedding', total, this.#done);
        this.add(0);
      },
      () => undefined,
    );
  }
}
