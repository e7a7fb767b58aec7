/** The library by itself, in a process of its own: texts per second of `session.embed`, eight calls under way. */

/** @typedef {{ model: string, dtype: string, threads: number, seconds: number, texts: string[] }} Question */

process.once('message', async (/** @type {Question} */ question) => {
  process.send?.(await measure(question));
});

/** @param {Question} question */
async function measure({ model, dtype, threads, seconds, texts }) {
  const { Session } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const session = await Session.load(model, { dtype, threads });
  let next = 1e6;
  /** @param {number} until */
  async function caller(until) {
    let done = 0;
    do {
      const slice = Array.from({ length: 32 }, () => `${texts[next % texts.length]} ${next++}`);
      await session.embed(slice);
      done += slice.length;
    } while (performance.now() < until);
    return done;
  }
  /** Every text that was begun counts, and all the time until the last of them was done. */
  async function textsPerSecond(/** @type {number} */ forMs) {
    const began = performance.now();
    const done = await Promise.all(Array.from({ length: 8 }, () => caller(began + forMs)));
    return (done.reduce((sum, count) => sum + count) / (performance.now() - began)) * 1000;
  }
  await textsPerSecond(Math.min(2000, seconds * 200));
  const result = { textsPerSecond: await textsPerSecond(seconds * 1000) };
  const { engine, dtype: ran } = session.info;
  await session.close();
  return { ...result, about: `${engine} ${ran}` };
}
