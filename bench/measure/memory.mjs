/** Resident size: of every variant after loading and after its texts, and of gteway over time. */
import { Contestant } from './contestant.mjs';
import { median } from './statistics.mjs';

const cycles = 50;
/** The first cycles fill the allocator's pools; and its pools breathe, so ends are compared as medians of as many. */
const settling = 10;

/**
 * @param {string} driver
 * @param {import('../drivers/driver.mjs').Variant} variant
 * @param {{ modelDirectory: string, threads: number }} parameters
 * @param {string[]} texts embedded over and over until `total` were embedded
 * @param {number} total
 */
export async function memoryOverTime(driver, variant, parameters, texts, total) {
  const contestant = new Contestant(driver, variant);
  try {
    const { before, after } = await contestant.load(parameters);
    for (let done = 0; done < total; done += texts.length) {
      await contestant.embed(texts.slice(0, Math.min(texts.length, total - done)));
    }
    const afterTexts = await contestant.residentBytes();
    const sizes = await contestant.cycle(cycles, texts[0]);
    return {
      name: variant.name,
      before,
      afterLoad: after,
      texts: total,
      afterTexts,
      cycles,
      /** Resident bytes after each cycle. */
      sizes,
      growth: median(sizes.slice(-settling)) - median(sizes.slice(settling, 2 * settling)),
      growthOver: cycles - 2 * settling,
    };
  } finally {
    await contestant.stop();
  }
}
