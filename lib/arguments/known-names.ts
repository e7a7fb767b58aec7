/** Names that people type: unknown ones are refused, with the name that was probably meant. */

/**
 * Throws when `given` has a key that is not in `known`, naming the nearest known one.
 *
 * @param where the call or constructor the options belong to, as it should read in the message: `session.run()`
 * @throws {TypeError} for the first unknown key
 */
export function rejectUnknownKeys(given: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    throw new TypeError(
      `${where}: unknown option '${name}'` +
        (nearest === undefined ? `; the options are ${known.join(', ')}` : `; did you mean '${nearest}'?`),
    );
  }
}

/** The known name closest to `name`, or undefined where none is close enough to be a likely slip. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(name);
  let nearest: string | undefined;
  // A third of the letters wrong is a slip; more is another word.
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** `meanPool`, `mean_pool` and `mean-pool` are the same name to the person who typed it. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** Edits to get from `a` to `b`, where swapping two neighbours is one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let distance = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) distance = Math.min(distance, at(beforeLast, column - 2) + 1);
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
