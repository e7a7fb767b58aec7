/**
 * What people put in front of a library that embeds a batch faster than its texts one by one: requests are collected
 * until there are `most` of them or the first has waited `milliseconds`, and then go into one call.
 *
 * @param {(texts: string[]) => Promise<import('../drivers/driver.mjs').Vectors>} embed
 * @param {{ most?: number, milliseconds?: number }} [limits]
 * @returns {(text: string) => Promise<Float32Array>}
 */
export function microBatcher(embed, { most = 32, milliseconds = 10 } = {}) {
  /** @type {{ text: string, resolve: (row: Float32Array) => void, reject: (reason: unknown) => void }[]} */
  let waiting = [];
  /** @type {NodeJS.Timeout | undefined} */
  let timer;

  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    try {
      const { data, dimensions } = await embed(batch.map(({ text }) => text));
      batch.forEach(({ resolve }, row) => resolve(data.subarray(row * dimensions, (row + 1) * dimensions)));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  return (text) =>
    new Promise((resolve, reject) => {
      waiting.push({ text, resolve, reject });
      if (waiting.length >= most) void flush();
      else timer ??= setTimeout(() => void flush(), milliseconds);
    });
}
