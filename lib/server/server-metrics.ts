/** What GET /metrics tells: names, labels and buckets in one place. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { SessionStats } from '../embedding/session-stats.js';
import type { ServedModels } from './served-models.js';

/** The series a scaler watches: an HPA of deploy/kubernetes.yaml names it. */
export const queueAgeMetric = 'gteway_queue_age_seconds';

/** Seconds. A short text takes some milliseconds, a batch of passages some seconds. */
const durationBuckets = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

interface Series {
  readonly name: string;
  readonly help: string;
  readonly read: (stats: SessionStats) => number;
}

const queueSeries: readonly Series[] = [
  { name: 'gteway_queue_texts', help: 'Texts waiting or being computed.', read: ({ queue }) => queue.texts },
  { name: 'gteway_queue_bytes', help: 'Bytes of those texts.', read: ({ queue }) => queue.bytes },
  {
    name: queueAgeMetric,
    help: 'Age of the oldest call waiting or being computed; 0 without any.',
    read: ({ queue }) => queue.oldest / 1000,
  },
  { name: 'gteway_running_texts', help: 'Texts being computed.', read: ({ queue }) => queue.running },
  { name: 'gteway_busy_threads', help: 'Native threads at work.', read: ({ engine }) => engine.busyThreads },
];

const sessionCounts: readonly Series[] = [
  { name: 'gteway_batches_total', help: 'Batches computed.', read: ({ batches }) => batches.count },
  { name: 'gteway_batch_tokens_total', help: 'Tokens in those batches.', read: ({ batches }) => batches.tokens },
  {
    name: 'gteway_cancelled_calls_total',
    help: 'Calls whose client left or whose time was up.',
    read: ({ calls }) => calls.cancelled,
  },
  {
    name: 'gteway_coalesced_texts_total',
    help: 'Texts that shared the computation of an equal one.',
    read: ({ texts }) => texts.coalesced,
  },
  { name: 'gteway_cache_hits_total', help: 'Texts whose vector was cached.', read: ({ cache }) => cache.hits },
  { name: 'gteway_cache_misses_total', help: 'Texts whose vector was not cached.', read: ({ cache }) => cache.misses },
];

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'gteway_http_requests_total',
    help: 'Requests answered, by route, method and status. 499: the client left before its answer.',
    labelNames: ['route', 'method', 'status'] as const,
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: 'gteway_http_request_duration_seconds',
    help: 'From the request’s headers to the end of its answer.',
    labelNames: ['route'] as const,
    buckets: durationBuckets,
    registers: [this.#registry],
  });
  readonly #connectionErrors = new Counter({
    name: 'gteway_http_connection_errors_total',
    help: 'Connections that sent no readable request, by the reason.',
    labelNames: ['reason'] as const,
    registers: [this.#registry],
  });
  readonly #texts = this.#modelCounter('gteway_texts_total', 'Texts embedded or scored.');
  readonly #tokens = this.#modelCounter('gteway_tokens_total', 'Tokens embedded or scored, special tokens counted.');
  readonly #truncated = this.#modelCounter('gteway_truncated_texts_total', 'Texts that were cut at the model’s limit.');

  constructor(models: ServedModels, requestsInFlight: () => number, bodyBytes: () => number) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('gteway_ready', '1 when every model is loaded and has passed its self-test.', () =>
      Number(models.isReady),
    );
    this.#gauge('gteway_http_requests_in_flight', 'Requests begun and not ended.', requestsInFlight);
    this.#gauge('gteway_http_body_bytes', 'Bytes of large bodies in memory.', bodyBytes);
    for (const { name, help, read } of queueSeries) this.#perModel(name, help, models, read);
    for (const { name, help, read } of sessionCounts) this.#countPerModel(name, help, models, read);
  }

  requestEnded(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status });
    this.#duration.observe({ route }, seconds);
  }

  connectionFailed(reason: string): void {
    this.#connectionErrors.inc({ reason });
  }

  computed(model: string, texts: number, tokens: number, truncated: number): void {
    this.#texts.inc({ model }, texts);
    this.#tokens.inc({ model }, tokens);
    this.#truncated.inc({ model }, truncated);
  }

  /** In Prometheus' text format. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #modelCounter(name: string, help: string): Counter<'model'> {
    return new Counter({ name, help, labelNames: ['model'], registers: [this.#registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  #perModel(name: string, help: string, models: ServedModels, read: Series['read']): void {
    new Gauge({
      name,
      help,
      labelNames: ['model'],
      registers: [this.#registry],
      collect() {
        for (const model of models.all) this.set({ model: model.name }, read(model.stats()));
      },
    });
  }

  #countPerModel(name: string, help: string, models: ServedModels, read: Series['read']): void {
    new Counter({
      name,
      help,
      labelNames: ['model'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const model of models.all) this.inc({ model: model.name }, read(model.stats()));
      },
    });
  }
}
