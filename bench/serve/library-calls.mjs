/** The library by itself, in a process that loads once: so many calls under way, of so many texts each. */

/** @typedef {{ model: string, dtype: string, threads: number }} Loading */
/** @typedef {{ calls: number, batch: number, seconds: number, texts: string[] }} Measuring */

/** @type {any} */
let session;
let next = 1e6;

process.on('message', async (/** @type {Loading | Measuring} */ question) => {
  process.send?.('model' in question ? await load(question) : await measure(question));
});

/** @param {Loading} loading */
async function load({ model, dtype, threads }) {
  const { Session } = await import(new URL('../../dist/index.js', import.meta.url).href);
  session = await Session.load(model, { dtype, threads });
  return session.info;
}

/** @param {Measuring} measuring */
async function measure({ calls, batch, seconds, texts }) {
  /** @type {number[]} */
  const latencies = [];
  const start = performance.now();
  async function caller() {
    do {
      const slice = Array.from({ length: batch }, () => `${texts[next % texts.length]} ${next++}`);
      const began = performance.now();
      await session.embed(slice);
      latencies.push(performance.now() - began);
    } while (performance.now() < start + seconds * 1000);
  }
  await Promise.all(Array.from({ length: calls }, caller));
  const perSecond = ((latencies.length * batch) / (performance.now() - start)) * 1000;
  latencies.sort((a, b) => a - b);
  const percentile = (/** @type {number} */ share) => latencies[Math.ceil(latencies.length * share) - 1] ?? NaN;
  return { perSecond, p50: percentile(0.5), p99: percentile(0.99) };
}
