/**
 * Vectors to search among: clustered, as those of texts are. A cluster has a centre, and its members go from it along a few
 * of some thousand directions that all clusters share, each by an amount of its own. The same for the same seed.
 */
const clusterRows = 100;
const directionCount = 4096;
const directionsPerRow = 6;
const spread = 0.35;

/** A small, fast generator (mulberry32). @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** About a normal distribution. @param {() => number} chance */
function normal(chance) {
  return (chance() + chance() + chance() + chance() - 2) * Math.sqrt(3);
}

/** Rows of length 1. @param {() => number} chance @param {number} rows @param {number} dimensions */
function directions(chance, rows, dimensions) {
  const data = new Float32Array(rows * dimensions);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dimensions; d++) data[row * dimensions + d] = normal(chance) / Math.sqrt(dimensions);
  }
  return data;
}

/**
 * `rows` vectors and `queries` more that are made as they are, all of length 1.
 *
 * @param {{ rows: number, queries: number, dimensions: number, seed?: number }} options
 */
export function clustered({ rows, queries, dimensions, seed = 1 }) {
  const chance = random(seed);
  const clusters = Math.max(1, Math.round(rows / clusterRows));
  const centres = directions(chance, clusters, dimensions);
  const ways = directions(chance, directionCount, dimensions);
  /** @param {number} count */
  const make = (count) => {
    const data = new Float32Array(count * dimensions);
    for (let row = 0; row < count; row++) {
      const at = row * dimensions;
      const centre = Math.floor(chance() * clusters) * dimensions;
      for (let d = 0; d < dimensions; d++) data[at + d] = centres[centre + d];
      for (let way = 0; way < directionsPerRow; way++) {
        const from = Math.floor(chance() * directionCount) * dimensions;
        const amount = normal(chance) * spread;
        for (let d = 0; d < dimensions; d++) data[at + d] += amount * ways[from + d];
      }
      let sum = 0;
      for (let d = 0; d < dimensions; d++) sum += data[at + d] ** 2;
      const scale = 1 / Math.sqrt(sum);
      for (let d = 0; d < dimensions; d++) data[at + d] *= scale;
    }
    return data;
  };
  return { data: make(rows), queries: make(queries) };
}
