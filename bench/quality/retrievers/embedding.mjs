/** gteway's sessions, each held to the engine and dtype it names. */

/**
 * @param {string} name
 * @param {() => Promise<string>} directory of the model
 * @param {{ engine: 'encoder' | 'ort', dtype: 'fp32' | 'bf16' | 'int8', threads: number }} options
 * @returns {import('./retriever.mjs').Retriever}
 */
export function embedding(name, directory, { engine, dtype, threads }) {
  return {
    name,
    load: async () => {
      const { Session } = await import('../../../dist/index.js');
      const session = await Session.load(await directory(), { engine, dtype, threads, device: 'cpu', offline: true });
      const { info } = session;
      if (info.engine !== engine || info.dtype !== dtype) {
        await session.close();
        const reasons = info.fallbacks.map((/** @type {{ reason: string }} */ { reason }) => reason);
        throw new Error(`it would run as ${info.engine} ${info.dtype}: ${reasons.join('; ')}`);
      }
      return {
        embed: async (texts) => {
          const { data, dimensions } = await session.embed(texts);
          return { data, dimensions };
        },
        close: () => session.close(),
        info: { ...info },
      };
    },
  };
}
