/** What the splitters ask about characters, by their UTF-16 code units. */

export function isWhite(unit: number): boolean {
  if (unit <= 0x20) return unit === 0x20 || (unit >= 9 && unit <= 13);
  if (unit < 0x1680) return unit === 0x85 || unit === 0xa0;
  return (
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000 ||
    unit === 0xfeff
  );
}

/** Of white space. A carriage return before a line feed does not count: the two end one line. */
export function isLineEnd(unit: number): boolean {
  return (unit >= 10 && unit <= 13) || unit === 0x85 || unit === 0x2028 || unit === 0x2029;
}

/** The first place from `at` on where no white space stands; at most `to`. */
export function skipWhite(text: string, at: number, to: number): number {
  while (at < to && isWhite(text.charCodeAt(at))) at++;
  return at;
}

/** How many lines end in text[from, to). */
export function lineEnds(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at);
    if (isLineEnd(unit) && !(unit === 13 && text.charCodeAt(at + 1) === 10)) count++;
  }
  return count;
}

/** Characters that continue a grapheme whatever stands before them, and a few more. */
const extending = /^[\p{Grapheme_Extend}\p{M}\p{Emoji_Modifier}\u200d\u0e33\u0eb3]/u;

/**
 * Whether a grapheme may begin at `at`, where white space or the end of a sentence stands before it: none of these joins
 * what follows, so what follows decides alone. Errs on the side of no.
 */
export function mayCutBefore(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0x300) return !(unit === 10 && text.charCodeAt(at - 1) === 13);
  return !extending.test(String.fromCodePoint(text.codePointAt(at) ?? 0));
}
