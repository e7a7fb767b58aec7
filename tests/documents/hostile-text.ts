/** Texts that break splitters, from a seed. */

/** Mulberry32: numbers in [0, 1). */
export function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const atoms = [
  ...['run', 'running', 'The', 'unaffordable', 'e.g.', 'J.', 'Dr.', '3.14', 'a', 'I', 'x'.repeat(120)],
  ...[' ', ' ', ' ', '  ', '\n', '\n\n', '\r\n', '\r', '\t', '\u00a0', '\u2028', '\u2029', '\u3000', '\ufeff', '\f'],
  ...['. ', '! ', '? ', '…', '。', '！', '.”', '."', '.) ', ', ', ';'],
  ...['# Title\n', '## Part ##\n', 'Title\n===\n', '```js\n', '```\n', '~~~\n', '- item\n', '  1. item\n', '> quote\n'],
  ...['| a | b |\n', '|---|---|\n', '    indented\n', '}\n', 'function f() {\n', '\tif (x)\n'],
  ...[
    '👨‍👩‍👧‍👦',
    '🇩🇪',
    '🇫',
    '🏻',
    '👍🏽',
    '\u200d',
    '\u0301',
    'e\u0301',
    '\u20dd',
    'ก็',
    'สวัสดีครับ',
    '漢字',
    'ひらがな',
    '한국어',
    'क्षि',
  ],
  ...['\ud83d', '\udc68', '\ud800', '\udfff', '\0', '\u0600', '\u200b', '[MASK]', '[SEP]', '\u{10ffff}', 'ﬃ', 'ß'],
];

/** `count` pieces of what is above, and now and then of any characters at all. */
export function hostileText(random: () => number, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) {
    if (random() < 0.05) text += String.fromCharCode(Math.floor(random() * 0x10000));
    else text += atoms[Math.floor(random() * atoms.length)] ?? '';
  }
  return text;
}
