/** A client in a process of its own: so many connections, each sending the next request when its answer is there. */
import { Pool } from 'undici';

/**
 * @typedef {object} Question
 * @property {string} url
 * @property {string} path
 * @property {number} connections
 * @property {number} batch texts in a request
 * @property {number} seconds
 * @property {string[]} texts each is sent with a number of its own, so that no two are equal
 * @property {number} seed the first number
 */

process.once('message', async (/** @type {Question} */ question) => {
  process.send?.(await load(question));
});

/** @param {Question} question */
async function load({ url, path, connections, batch, seconds, texts, seed }) {
  const pool = new Pool(url, { connections, pipelining: 1 });
  let next = seed;
  /** @type {number[]} */
  const latencies = [];
  /** @type {Record<number, number>} */
  const statuses = {};
  const warmUntil = performance.now() + Math.min(2000, seconds * 200);
  const until = warmUntil + seconds * 1000;

  async function connection() {
    for (;;) {
      const input = Array.from({ length: batch }, () => `${texts[next % texts.length]} ${next++}`);
      const body = JSON.stringify({ model: 'bench', input, encoding_format: 'base64' });
      const began = performance.now();
      if (began >= until) return;
      const answer = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      const json = /** @type {any} */ (await answer.body.json());
      const ended = performance.now();
      if (answer.statusCode === 200 && json.data.length !== batch) throw new Error('an answer lacks vectors');
      if (ended < warmUntil || ended > until) continue;
      statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
      if (answer.statusCode === 200) latencies.push(ended - began);
    }
  }

  await Promise.all(Array.from({ length: connections }, connection));
  await pool.close();
  latencies.sort((a, b) => a - b);
  const percentile = (/** @type {number} */ share) => latencies[Math.ceil(latencies.length * share) - 1] ?? NaN;
  return {
    requestsPerSecond: latencies.length / seconds,
    textsPerSecond: (latencies.length * batch) / seconds,
    p50: percentile(0.5),
    p95: percentile(0.95),
    p99: percentile(0.99),
    statuses,
  };
}
