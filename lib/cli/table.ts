/** Facts for people: a name and a value on each line, the values aligned. */

export type Fact = readonly [name: string, value: string];

export function factLines(facts: readonly Fact[], indent = ''): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`.trimEnd() + '\n').join('');
}
