/** Source code into lines: the less a line is indented, the better a place to cut before it, above all behind a blank one. */
import { type Pieces, stepUnits, strength } from './pieces.js';

const tabColumns = 4;
const deepest = 3;

/** Yields now and then. */
export function* splitCode(text: string, pieces: Pieces): Generator<void, void> {
  let behindBlank = false;
  let yielded = 0;
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline + 1;
    let columns = 0;
    let first = at;
    for (; first < end; first++) {
      const unit = text.charCodeAt(first);
      if (unit !== 0x20 && unit !== 9) break;
      columns += unit === 9 ? tabColumns : 1;
    }
    const unit = text.charCodeAt(first);
    const blank = first === end || unit === 10 || unit === 13;
    if (!blank) {
      pieces.add(at, lineStrength(unit, columns, behindBlank));
      behindBlank = false;
    } else if (at > 0) {
      behindBlank = true;
    }
    at = end;
    if (at - yielded >= stepUnits) {
      yielded = at;
      yield;
    }
  }
  pieces.add(text.length, strength.paragraph);
}

function lineStrength(first: number, columns: number, behindBlank: boolean): number {
  const depth = Math.min(Math.floor(columns / tabColumns), deepest);
  if (behindBlank) return strength.paragraph - depth;
  // What closes a block belongs to it.
  const closes = first === 0x7d || first === 0x29 || first === 0x5d;
  return depth === 0 && !closes ? strength.row : strength.word;
}
