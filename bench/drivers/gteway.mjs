/** gteway itself, as built into dist/. */
import { readFileSync } from 'node:fs';
import { concatenate } from './rows.mjs';

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  { name: 'gteway fp32', dtype: 'fp32', way: 'together' },
  { name: 'gteway fp32, one per call', dtype: 'fp32', way: 'single' },
  { name: 'gteway int8', dtype: 'int8', way: 'together' },
  { name: 'gteway int8, one per call', dtype: 'int8', way: 'single' },
];

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const root = new URL('../../', import.meta.url);
  const library = await import(new URL('dist/index.js', root).href);
  if (typeof library.Session?.load !== 'function') {
    throw new Error('dist/index.js exports no Session: build the library first (npm run build)');
  }
  const session = await library.Session.load(modelDirectory, { dtype: variant.dtype, threads, ...variant.session });
  const embedAll = async (/** @type {string[]} */ texts) => {
    const { data, dimensions } = await session.embed(texts);
    return { data, dimensions };
  };
  return {
    embed: variant.way === 'single' ? (texts) => concatenate(texts.map((text) => () => embedAll([text]))) : embedAll,
    request: (text) => session.run(text),
    close: () => session.close(),
    info: { version: JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version, session: session.info },
  };
}
