/**
 * What happens inside the process of a server: its library, and the requests of its users. They share one process, as
 * they do in practice, so that a library which blocks the event loop is seen to do so.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { closedLoop, openLoop } from './open-loop.mjs';

/** @typedef {import('../drivers/driver.mjs').Loaded} Loaded */

/** @type {Record<string, (loaded: Loaded, parameters: any) => Promise<unknown>>} */
export const experiments = {
  /** Event-loop delay of a process with nothing to do. */
  async idle(loaded, { seconds }) {
    return withEventLoopDelay(() => sleep(seconds * 1000, {}));
  },

  async capacity(loaded, { texts, inFlight, seconds }) {
    return closedLoop(loaded.request, texts, { inFlight, seconds });
  },

  /** Requests of single texts, `inFlight` of them at any time. */
  async requests(loaded, { texts, inFlight }) {
    return withEventLoopDelay(() => closedLoop(loaded.request, texts, { inFlight }));
  },

  /** The same texts in one call. */
  async together(loaded, { texts }) {
    return withEventLoopDelay(() => embedAll(loaded, texts));
  },

  async openLoop(loaded, { texts, ...schedule }) {
    return withEventLoopDelay(() => openLoop(loaded.request, texts, schedule));
  },

  /** One big call, and an open loop beside it for as long as it takes. */
  async bulkBeside(loaded, { bulkTexts, texts, ...schedule }) {
    const end = new AbortController();
    const peak = peakOfResidentBytes();
    const [bulk, client] = await Promise.all([
      embedAll(loaded, bulkTexts).finally(() => end.abort()),
      openLoop(loaded.request, texts, { seconds: Infinity, ...schedule, signal: end.signal }),
    ]);
    return { bulk, client, ...peak.stop() };
  },

  /** An open loop, and the sizes of the process while it goes on. */
  async soak(loaded, { texts, sampleSeconds, ...schedule }) {
    /** @type {{ seconds: number, rss: number, heapUsed: number, external: number }[]} */
    const samples = [];
    const began = performance.now();
    const sample = () => {
      const { rss, heapUsed, external } = process.memoryUsage();
      samples.push({ seconds: (performance.now() - began) / 1000, rss, heapUsed, external });
    };
    sample();
    const timer = setInterval(sample, sampleSeconds * 1000);
    try {
      const result = await openLoop(loaded.request, texts, schedule);
      // A latency per request, over many minutes, is more than a parent needs.
      const { latencies, ...rest } = result;
      return { ...rest, latencies: everyNth(latencies, 20_000), samples };
    } finally {
      clearInterval(timer);
    }
  },
};

/**
 * @param {Loaded} loaded
 * @param {string[]} texts
 */
async function embedAll(loaded, texts) {
  const began = performance.now();
  await loaded.embed(texts);
  return { texts: texts.length, seconds: (performance.now() - began) / 1000 };
}

/**
 * @template {object} Result
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result & { eventLoop: { p50: number, p99: number, max: number } }>} milliseconds between two turns of
 *   the loop as a timer of 1 ms sees them: 1 and a little where nothing blocks it
 */
async function withEventLoopDelay(work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const result = /** @type {object} */ (await work());
  histogram.disable();
  const milliseconds = (/** @type {number} */ nanoseconds) => nanoseconds / 1e6;
  return /** @type {any} */ ({
    ...result,
    eventLoop: {
      p50: milliseconds(histogram.percentile(50)),
      p99: milliseconds(histogram.percentile(99)),
      max: milliseconds(histogram.max),
    },
  });
}

function peakOfResidentBytes() {
  const before = process.memoryUsage.rss();
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 50);
  return {
    stop() {
      clearInterval(timer);
      return { residentBefore: before, residentPeak: peak };
    },
  };
}

/**
 * @param {number[]} values
 * @param {number} most
 */
function everyNth(values, most) {
  const step = Math.max(1, Math.ceil(values.length / most));
  return step === 1 ? values : values.filter((_, index) => index % step === 0);
}
