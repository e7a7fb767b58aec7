/** The process of one variant: does what its parent asks, one request at a time. Started by contestant.mjs. */
import { drivers } from '../drivers/index.mjs';
import { experiments } from '../serving/experiments.mjs';
import { microBatcher } from '../serving/micro-batcher.mjs';

/** @type {import('../drivers/driver.mjs').Loaded | undefined} */
let loaded;
/** @type {() => Promise<import('../drivers/driver.mjs').Loaded>} */
let reload;

const requests = {
  /** Loads the model. Sizes in bytes, of the process before and after. */
  async load({ driver, variant, modelDirectory, threads }) {
    const start = drivers[driver];
    const before = process.memoryUsage.rss();
    const began = performance.now();
    reload = () => start.load(modelDirectory, variant, { threads });
    loaded = await reload();
    if (variant.microBatches) loaded = { ...loaded, request: microBatcher(loaded.embed) };
    return { info: loaded.info, milliseconds: performance.now() - began, before, after: process.memoryUsage.rss() };
  },

  async embed({ texts, pooling }) {
    return loaded.embed(texts, pooling);
  },

  /** Finds what is fastest for such texts, where there is a choice. */
  async tune({ texts }) {
    return loaded.tune?.(texts);
  },

  /** Embeds one text at a time for so many seconds, at least each once; milliseconds of each call. */
  async latencies({ texts, seconds }) {
    const milliseconds = [];
    const end = performance.now() + seconds * 1000;
    for (let next = 0; next < texts.length || performance.now() < end; next++) {
      const began = performance.now();
      await loaded.embed([texts[next % texts.length]]);
      milliseconds.push(performance.now() - began);
    }
    return milliseconds;
  },

  /** Embeds the texts as often as it takes to fill `seconds`, at least once; gives the vectors too. */
  async round({ texts, seconds }) {
    const began = performance.now();
    let times = 0;
    let elapsed = 0;
    let vectors;
    do {
      vectors = await loaded.embed(texts);
      times++;
      elapsed = (performance.now() - began) / 1000;
    } while (elapsed < seconds);
    return { seconds: elapsed / times, times, vectors };
  },

  /** One of serving/experiments.mjs. */
  async experiment({ name, parameters }) {
    return experiments[name](loaded, parameters);
  },

  /** Of all threads since the process began. */
  async processorSeconds() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },

  async residentBytes() {
    return process.memoryUsage.rss();
  },

  /** Closes and loads `times` times; the resident size after each. */
  async cycle({ times, text }) {
    const sizes = [];
    for (let cycle = 0; cycle < times; cycle++) {
      await loaded.close();
      loaded = await reload();
      await loaded.embed([text]);
      sizes.push(process.memoryUsage.rss());
    }
    return sizes;
  },

  async close() {
    await loaded?.close();
    loaded = undefined;
  },
};

process.on('message', async (/** @type {{ id: number, request: string, parameters: any }} */ message) => {
  const { id, request, parameters } = message;
  try {
    process.send({ id, result: await requests[request](parameters) });
  } catch (error) {
    process.send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
