/** What is searched and asked: the everyday list of this folder, the demo's questions, and held-out sets that training/ makes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { queries, sentences } from '../../dist/cli/commands/demo.js';

/**
 * @typedef {{ text: string, relevant: ReadonlySet<number>, lexical?: 'none' | 'shared' }} Query
 * `relevant`: places in the corpus. `lexical`: whether it shares a content word with an answer.
 *
 * @typedef {{ kind: 'retrieval', name: string, about: string, corpus: string[], queries: Query[] }} RetrievalSet
 *
 * @typedef {{ kind: 'similarity', name: string, about: string, pairs: { a: string, b: string, score: number }[] }} SimilaritySet
 * `score`: what people said, in any unit, more is more alike.
 */

/** @returns {RetrievalSet} */
export function everydaySet() {
  const folder = new URL('everyday/', import.meta.url);
  const list = jsonLines(new URL('topics.jsonl', folder));
  const places = new Map(list.map(({ id }, place) => [id, place]));
  return {
    kind: 'retrieval',
    name: 'everyday',
    about: `${list.length} sentences on ${new Set(list.map(({ topic }) => topic)).size} topics, written one by one`,
    corpus: list.map(({ text }) => text),
    queries: jsonLines(new URL('queries.jsonl', folder)).map(({ query, answers, lexical }) => ({
      text: query,
      relevant: new Set(answers.map((/** @type {string} */ id) => places.get(id))),
      lexical,
    })),
  };
}

/** The demo's queries and the sentences that answer them. */
const demoAnswers = new Map([
  ['a young dog', ['A small dog runs after the ball in the park.', 'Puppies need food, sleep and patience.']],
  ['how to bake bread', ['Knead the dough until it is smooth, then let it rise.']],
  ['money and interest rates', ['The bank raised its interest rate by a quarter of a point.']],
  ['a planet and its moons', ['Two moons circle the planet Mars.']],
]);

/**
 * What `gteway demo` searches and asks.
 *
 * @returns {RetrievalSet}
 * @throws Error for a query of the demo that has no answer here
 */
export function demoSet() {
  return {
    kind: 'retrieval',
    name: 'demo',
    about: `what gteway demo asks, ${queries.length} queries, ${sentences.length} sentences`,
    corpus: sentences,
    queries: queries.map((text) => {
      const places = demoAnswers.get(text)?.map((answer) => sentences.indexOf(answer));
      if (places === undefined || places.includes(-1))
        throw new Error(`the demo asks "${text}": name its answers here`);
      return { text, relevant: new Set(places) };
    }),
  };
}

/**
 * The sets of a directory, one per .jsonl file, in the order of their names. Lines of {query, positive} are retrieval:
 * all positives of the file are the corpus, and a query has as many answers as lines. Lines of {a, b, score} are
 * similarity.
 *
 * @param {string} directory
 * @param {number} mostQueries of longer files every n-th query is asked, the corpus stays whole
 * @returns {(RetrievalSet | SimilaritySet)[]}
 * @throws Error where a file has neither
 */
export function heldOutSets(directory, mostQueries) {
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory).filter((file) => file.endsWith('.jsonl'));
  return files.sort().map((file) => {
    const path = join(directory, file);
    const name = basename(file, '.jsonl');
    const lines = jsonLines(path);
    if (lines.length > 0 && lines.every(isPair)) return pairSet(name, lines, mostQueries);
    if (lines.length > 0 && lines.every(isScored)) {
      return { kind: 'similarity', name, about: `${lines.length} pairs`, pairs: lines };
    }
    throw new Error(`${path}: every line must have the strings query and positive, or a, b and a number score`);
  });
}

/**
 * @param {string} name
 * @param {{ query: string, positive: string }[]} pairs
 * @param {number} mostQueries
 * @returns {RetrievalSet}
 */
export function pairSet(name, pairs, mostQueries) {
  const corpus = [...new Set(pairs.map(({ positive }) => positive))];
  const places = new Map(corpus.map((text, place) => [text, place]));
  /** @type {Map<string, Set<number>>} */
  const answers = new Map();
  for (const { query, positive } of pairs) {
    if (!answers.has(query)) answers.set(query, new Set());
    answers.get(query).add(places.get(positive));
  }
  const all = [...answers].map(([text, relevant]) => ({ text, relevant }));
  const step = Math.max(1, all.length / mostQueries);
  const asked = Array.from({ length: Math.min(all.length, mostQueries) }, (_, i) => all[Math.floor(i * step)]);
  const about = `${asked.length} of ${all.length} queries, ${corpus.length} texts`;
  return { kind: 'retrieval', name, about, corpus, queries: asked };
}

/** @param {any} line */
const isPair = (line) => typeof line.query === 'string' && typeof line.positive === 'string';
/** @param {any} line */
const isScored = (line) => typeof line.a === 'string' && typeof line.b === 'string' && typeof line.score === 'number';

/** @param {string | URL} path @returns {any[]} */
function jsonLines(path) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      try {
        return [JSON.parse(line)];
      } catch (cause) {
        throw new Error(`${path}, line ${index + 1}, is not JSON`, { cause });
      }
    });
}
