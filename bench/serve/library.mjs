/** The library by itself, in a process of its own: texts per second of `session.embed`, three calls under way. */

/** @typedef {{ model: string, dtype: string, threads: number, seconds: number, texts: string[] }} Question */

process.once('message', async (/** @type {Question} */ question) => {
  process.send?.(await measure(question));
});

/** @param {Question} question */
async function measure({ model, dtype, threads, seconds, texts }) {
  const { Session } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const session = await Session.load(model, { dtype, threads });
  let next = 1e6;
  let done = 0;
  const warmUntil = performance.now() + Math.min(2000, seconds * 200);
  const until = warmUntil + seconds * 1000;
  async function caller() {
    while (performance.now() < until) {
      const slice = Array.from({ length: 256 }, () => `${texts[next % texts.length]} ${next++}`);
      const began = performance.now();
      await session.embed(slice);
      if (began >= warmUntil && performance.now() <= until) done += slice.length;
    }
  }
  await Promise.all([caller(), caller(), caller()]);
  const { engine, dtype: ran } = session.info;
  await session.close();
  return { textsPerSecond: done / seconds, about: `${engine} ${ran}` };
}
