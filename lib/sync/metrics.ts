/** What a worker counts, and what the queue is like, for Prometheus. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Queryable, Target } from './catalog.js';
import { isPassing } from './connection.js';
import type { BatchReport } from './lane.js';
import { ageSql } from './status.js';
import { sqlNames } from './schema-sql.js';

/** The series that a scaler may watch. */
export const syncAgeMetric = 'gteway_sync_queue_age_seconds';

/** Seconds that the answers of the database are told again: a fleet that is scraped must not be a load. */
const staleAfter = 10;
/** More jobs are not counted: reading a queue of millions takes longer than a scrape should. */
const mostCounted = 100_000;

const durationBuckets = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

export class BatchMeter {
  readonly #registry = new Registry();
  readonly #rows = new Counter({
    name: 'gteway_sync_rows_total',
    help: 'Jobs by their end: written, settled (nothing to do), failed, released (to be done again), lost (to another).',
    labelNames: ['end'] as const,
    registers: [this.#registry],
  });
  readonly #tokens = new Counter({
    name: 'gteway_sync_tokens_total',
    help: 'Tokens embedded.',
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: 'gteway_sync_batch_duration_seconds',
    help: 'From claiming a batch to its last commit.',
    buckets: durationBuckets,
    registers: [this.#registry],
  });
  readonly #db: Queryable;
  readonly #target: Target;
  #asked = -Infinity;
  #queue: Promise<QueueFacts> | undefined;

  constructor(db: Queryable, target: Target) {
    this.#db = db;
    this.#target = target;
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge(syncAgeMetric, 'How long the oldest job has been due; 0 without any.', ({ age }) => age);
    this.#gauge(
      'gteway_sync_queue_rows',
      `Jobs that wait or run, counted up to ${mostCounted}.`,
      ({ waiting }) => waiting,
    );
    this.#gauge('gteway_sync_failed_rows', `Rows that failed, counted up to ${mostCounted}.`, ({ failed }) => failed);
  }

  count(report: BatchReport, seconds: number): void {
    for (const end of ['written', 'settled', 'failed', 'released', 'lost'] as const)
      this.#rows.inc({ end }, report[end]);
    this.#tokens.inc(report.tokens);
    this.#duration.observe(seconds);
  }

  /** In Prometheus' text format. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #gauge(name: string, help: string, read: (facts: QueueFacts) => number): void {
    const facts = (): Promise<QueueFacts> => this.#facts();
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        // NaN where the database is away: a number would say that all is well.
        const away = (error: unknown): number => {
          if (isPassing(error)) return NaN;
          throw error;
        };
        this.set(await facts().then(read, away));
      },
    });
  }

  #facts(): Promise<QueueFacts> {
    const now = performance.now() / 1000;
    if (this.#queue === undefined || now - this.#asked > staleAfter) {
      this.#asked = now;
      this.#queue = readFacts(this.#db, this.#target);
      this.#queue.catch(() => (this.#queue = undefined));
    }
    return this.#queue;
  }
}

interface QueueFacts {
  readonly age: number;
  readonly waiting: number;
  readonly failed: number;
}

async function readFacts(db: Queryable, target: Target): Promise<QueueFacts> {
  const { queue } = sqlNames(target);
  const counted = (condition: string): string =>
    `(SELECT count(*)::int FROM (SELECT 1 FROM ${queue} WHERE ${condition} LIMIT ${mostCounted}) counted)`;
  const { rows } = await db.query<QueueFacts>(
    `SELECT age, ${counted('failed_at IS NULL')} AS waiting, ${counted('failed_at IS NOT NULL')} AS failed FROM (${ageSql(target)}) a`,
  );
  return rows[0] ?? { age: 0, waiting: 0, failed: 0 };
}

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Answers GET /metrics, and GET /health for probes. Rejects where it cannot listen. */
export async function startMetricsServer(
  meter: BatchMeter,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    if (path === '/health') {
      response.end('ok\n');
    } else if (path === '/metrics') {
      meter.text().then(
        ({ type, body }) => response.setHeader('content-type', type).end(body),
        (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
      );
    } else {
      response.writeHead(404).end('there is /metrics and /health\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
