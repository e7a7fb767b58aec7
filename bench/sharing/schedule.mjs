/**
 * How long one text takes on so many threads, simulated: the pieces of each work are as long as they were measured on one
 * thread, what lies between them is the traffic of cache lines. Leaves out that many threads share a memory, and that few
 * weights per thread stay in its cache.
 *
 * Two schedules: 'one line' is what was: every thread of the machine looks at one line, and claims pieces of it, two for
 * each thread. 'own lines' is native/src/engine/encoder/crew.cpp: each of the threads that a text is worth looks at a line
 * of its own, on which its two pieces lie.
 *
 * @typedef {object} Work what all threads do before they wait for each other
 * @property {number} seconds on one thread
 * @property {number} units into so many pieces it can be cut
 * @property {number} [cuts] into so many each of these where they are too few, by the schedule of own lines
 *
 * @typedef {{ transfer: number, read: number, post: number, wake: number }} Costs in seconds
 */

/**
 * `transfer`: fetching a line that another core wrote last, to write to it. `read`: one more core that fetches a copy, one
 * after the other. `post`: writing to a line that another core holds, while the next such write is under way.
 *
 * @type {Costs}
 */
export const defaultCosts = { transfer: 70e-9, read: 10e-9, post: 15e-9, wake: 50e-6 };

/**
 * Seconds of one text.
 *
 * @param {{ works: Work[], layers: number, threads: number, schedule: 'one line' | 'own lines', costs?: Costs }} options
 * `works`: of one layer
 */
export function simulate({ works, layers, threads, schedule, costs = defaultCosts }) {
  if (threads === 1) return layers * works.reduce((sum, { seconds }) => sum + seconds, 0);
  let now = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (const work of works) {
      const units = work.units * (schedule === 'own lines' ? (work.cuts ?? 1) : 1);
      const pieces = Math.min(units, 2 * threads);
      const each = Array.from({ length: pieces }, (_, piece) => partOf(work.seconds, units, piece, pieces));
      const present = (/** @type {number} */ worker) => wakesAt(worker, schedule, costs);
      now =
        schedule === 'one line'
          ? oneLine(now, each, threads, present, costs)
          : ownLines(now, each, threads, present, costs);
    }
  }
  return now;
}

/**
 * @param {number} seconds
 * @param {number} units
 * @param {number} piece
 * @param {number} pieces
 */
function partOf(seconds, units, piece, pieces) {
  const count = Math.floor((units * (piece + 1)) / pieces) - Math.floor((units * piece) / pieces);
  return (seconds * count) / units;
}

/** One system call wakes all, the kernel one after the other; or who is woken wakes two others. */
function wakesAt(/** @type {number} */ worker, /** @type {string} */ schedule, /** @type {Costs} */ { wake }) {
  if (worker === 0) return 0;
  const calls = schedule === 'one line' ? worker / 16 : Math.floor(Math.log2(worker + 1)) - 1;
  return wake * (1 + calls);
}

/**
 * @param {number} now
 * @param {number[]} pieces
 * @param {number} threads
 * @param {(worker: number) => number} present since when a thread looks for work
 * @param {Costs} costs
 */
function oneLine(now, pieces, threads, present, { transfer, read }) {
  // Whoever looks gets a copy of the line after each time that it was written to.
  let lineFree = now + transfer;
  let doneFree = now;
  const free = Array.from({ length: threads }, (_, worker) => Math.max(now, present(worker)));
  for (const piece of pieces) {
    const worker = earliest(free);
    const lookers = free.filter((time) => time <= lineFree).length;
    const claimed = Math.max(free[worker], lineFree) + transfer + read * lookers;
    lineFree = claimed;
    const ended = Math.max(claimed + piece, doneFree) + transfer;
    doneFree = ended;
    free[worker] = ended;
  }
  return doneFree + transfer;
}

/**
 * @param {number} now
 * @param {number[]} pieces
 * @param {number} threads
 * @param {(worker: number) => number} present
 * @param {Costs} costs
 */
function ownLines(now, pieces, threads, present, { transfer, post }) {
  const sharers = Math.min(threads, pieces.length);
  const firstOf = (/** @type {number} */ worker) => Math.floor((pieces.length * worker) / sharers);
  const posted = now + post * sharers;
  const free = Array.from({ length: sharers }, (_, worker) =>
    worker === 0 ? posted : Math.max(now + post * (sharers - worker) + transfer, present(worker)),
  );
  const next = Array.from({ length: sharers }, (_, worker) => firstOf(worker));
  let ended = posted;
  for (let left = pieces.length; left > 0; left--) {
    const worker = earliest(free);
    // Its own pieces first, then what others have not begun: theirs are a line away.
    let from = worker;
    while (next[from] === firstOf(from + 1)) from = (from + 1) % sharers;
    const start = Math.max(free[worker], now) + (from === worker ? 0 : 2 * transfer);
    free[worker] = start + pieces[next[from]++];
    ended = Math.max(ended, free[worker]);
  }
  // The owner looks at each line once.
  return ended + transfer + post * sharers;
}

/** @param {number[]} times */
function earliest(times) {
  let first = 0;
  for (let i = 1; i < times.length; i++) if (times[i] < times[first]) first = i;
  return first;
}
