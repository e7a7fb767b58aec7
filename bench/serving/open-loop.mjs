/**
 * Requests that arrive when they arrive, whether or not earlier ones have been answered, as those of a server's users do.
 *
 * A request's latency counts from the moment it was meant to be sent, not from when this process came round to sending
 * it: a library that blocks the event loop delays its own requests, and that is what its users wait for. (Leaving it out
 * is known as coordinated omission.) Timers of Node are whole milliseconds, so up to one of them is in every latency.
 */
import { poissonGaps } from '../measure/statistics.mjs';

/**
 * @typedef {object} LoopResult
 * @property {number} offered requests that arrived
 * @property {number} completed before the last arrival's time was up: over `seconds`, the throughput
 * @property {number} rejected refused because the queue was full
 * @property {Record<string, number>} failures how many requests failed otherwise, by message
 * @property {number} unfinished without an answer when the time to drain was up
 * @property {number} seconds during which requests arrived
 * @property {number} observedSeconds until everything was answered, or given up
 * @property {number[]} latencies milliseconds of every answered request; Infinity for those without an answer
 */

/**
 * @param {(text: string) => Promise<unknown>} request
 * @param {string[]} texts in turn, beginning again after the last
 * @param {object} schedule
 * @param {number} schedule.perSecond mean rate of the Poisson process
 * @param {number} schedule.seed of the arrivals: the same seed, the same arrivals
 * @param {number} schedule.seconds
 * @param {number} schedule.drainSeconds to wait for answers after the last arrival
 * @param {AbortSignal} [schedule.signal] ends the arrivals before `seconds` are over
 * @returns {Promise<LoopResult>}
 */
export async function openLoop(request, texts, { perSecond, seed, seconds, drainSeconds, signal }) {
  const gap = poissonGaps(perSecond, seed);
  const began = performance.now();
  let last = seconds * 1000;
  let next = gap();
  let offered = 0;
  let answered = 0;
  let completed = 0;
  let rejected = 0;
  let over = false;
  /** @type {Record<string, number>} */
  const failures = {};
  /** @type {number[]} */
  const latencies = [];
  /** @type {() => void} */
  let allAnswered = () => undefined;

  const send = async (/** @type {number} */ intended, /** @type {string} */ text) => {
    /** @type {any} */
    let failure;
    await request(text).catch((error) => (failure = error));
    if (over) return;
    const now = performance.now() - began;
    answered++;
    if (failure === undefined) {
      latencies.push(now - intended);
      if (now <= last) completed++;
    } else if (failure?.code === 'ERR_OVERLOADED') {
      rejected++;
    } else {
      const message = String(failure?.message ?? failure).split('\n')[0];
      failures[message] = (failures[message] ?? 0) + 1;
    }
    if (answered === offered) allAnswered();
  };

  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const tick = () => {
        const now = performance.now() - began;
        if (signal?.aborted) last = Math.min(last, now);
        while (next <= now && next < last) {
          void send(next, texts[offered++ % texts.length]);
          next += gap();
        }
        if (now >= last) resolve();
        else setTimeout(tick, Math.max(0, Math.min(next, last) - now));
      };
      tick();
    })
  );
  if (answered < offered) {
    const patience = new AbortController();
    await Promise.race([
      /** @type {Promise<void>} */ (new Promise((resolve) => (allAnswered = resolve))),
      sleep(drainSeconds * 1000, patience.signal),
    ]);
    patience.abort();
  }
  over = true;
  const unfinished = offered - answered;
  return {
    offered,
    completed,
    rejected,
    failures,
    unfinished,
    seconds: last / 1000,
    observedSeconds: (performance.now() - began) / 1000,
    latencies: [...latencies, ...Array.from({ length: unfinished }, () => Infinity)],
  };
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * A fixed number of requests under way until time is up, then until all are answered: how fast requests can be served.
 *
 * @param {(text: string) => Promise<unknown>} request
 * @param {string[]} texts in turn, beginning again after the last
 * @param {{ inFlight: number, seconds?: number }} amount without `seconds`: every text once
 * @returns {Promise<{ texts: number, seconds: number }>}
 */
export async function closedLoop(request, texts, { inFlight, seconds }) {
  const began = performance.now();
  let sent = 0;
  const goesOn = () => (seconds === undefined ? sent < texts.length : performance.now() - began < seconds * 1000);
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (goesOn()) await request(texts[sent++ % texts.length]);
    }),
  );
  return { texts: sent, seconds: (performance.now() - began) / 1000 };
}
