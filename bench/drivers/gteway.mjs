/** gteway itself, as built into dist/. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { concatenate } from './rows.mjs';

/** @type {(engine: string, dtype: import('./driver.mjs').Dtype, forcedIsa?: string) => import('./driver.mjs').Variant} */
const together = (engine, dtype, forcedIsa) => ({
  name: ['gteway', engine, dtype, forcedIsa].filter(Boolean).join(' '),
  dtype,
  way: 'together',
  session: { engine },
  ...(forcedIsa === undefined
    ? { quick: true }
    : { forcedIsa, env: { GTEWAY_FORCE_ISA: forcedIsa }, kinds: ['corpus', 'length'] }),
});

/** @type {import('./driver.mjs').Variant[]} */
export const variants = [
  together('ort', 'fp32'),
  { ...together('ort', 'int8'), kinds: ['corpus', 'latency'] },
  together('encoder', 'fp32'),
  together('encoder', 'bf16'),
  together('encoder', 'int8'),
  together('encoder', 'fp32', 'avx512'),
  together('encoder', 'fp32', 'avx2'),
  together('encoder', 'bf16', 'avx512bf16'),
  together('encoder', 'int8', 'avx512vnni'),
  together('encoder', 'int8', 'avxvnni'),
  { name: 'gteway (defaults)', dtype: 'auto', way: 'together', kinds: ['corpus', 'latency'], quick: true },
  { name: 'gteway (defaults), one per call', dtype: 'auto', way: 'single', kinds: ['corpus'] },
];

/** @type {import('./driver.mjs').Driver['load']} */
export async function load(modelDirectory, variant, { threads }) {
  const root = variant.root === undefined ? new URL('../../', import.meta.url) : pathToFileURL(`${variant.root}/`);
  const library = await import(new URL('dist/index.js', root).href);
  if (typeof library.Session?.load !== 'function') {
    throw new Error('dist/index.js exports no Session: build the library first (npm run build:all)');
  }
  const session = await library.Session.load(modelDirectory, { dtype: variant.dtype, threads, ...variant.session });
  const { engine, fallbacks } = session.info;
  const wanted = variant.session?.engine ?? 'auto';
  if (wanted !== 'auto' && wanted !== engine) {
    await session.close();
    throw new Error(`runs on ${engine}: ${fallbacks.map((/** @type {any} */ { reason }) => reason).join('; ')}`);
  }
  /** @type {import('./driver.mjs').Loaded['embed']} */
  const embedAll = async (texts, pooling) => {
    const { data, dimensions } = await session.embed(texts, pooling === undefined ? {} : { pooling });
    return { data, dimensions };
  };
  return {
    embed:
      variant.way === 'single'
        ? (texts, pooling) => concatenate(texts.map((text) => () => embedAll([text], pooling)))
        : embedAll,
    request: (text) => session.run(text),
    close: () => session.close(),
    info: { version: JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version, session: session.info },
  };
}
