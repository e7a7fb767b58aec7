/** `gteway demo`: a small search from texts to answers, with the numbers of what ran. */
import { Command } from 'commander';
import type { Session } from '../../session.js';
import { similarityMatrix } from '../../vectors/similarity.js';
import { addSessionOptions, openSession, type SessionFlags } from '../model-options.js';
import { openOutput } from '../output.js';
import { factLines } from '../table.js';

/** What the demo searches. */
export const sentences = [
  'The cat sleeps on the warm window sill all afternoon.',
  'A small dog runs after the ball in the park.',
  'Puppies need food, sleep and patience.',
  'The bank raised its interest rate by a quarter of a point.',
  'Shares fell after the company cut its forecast for the year.',
  'Inflation makes the weekly shopping more expensive.',
  'Bring the soup to a boil and let it simmer for ten minutes.',
  'Knead the dough until it is smooth, then let it rise.',
  'A pinch of salt brings out the taste of the tomatoes.',
  'The rocket left the pad at dawn and reached orbit in nine minutes.',
  'Two moons circle the planet Mars.',
  'The telescope found a planet in the orbit of a distant star.',
];

/** What it asks; bench/quality/sets.mjs knows the answers. */
export const queries = ['a young dog', 'how to bake bread', 'money and interest rates', 'a planet and its moons'];

/** The sentences so many times over, for a figure of throughput that is not all starting up. */
const repetitions = 40;

export function demoCommand(): Command {
  const command = new Command('demo')
    .summary('see it work')
    .description('Search a few sentences by meaning, and tell what ran and how fast.');
  return addSessionOptions(command).action(async (flags: SessionFlags) => demo(flags));
}

async function demo(flags: SessionFlags): Promise<void> {
  const { session, name } = await openSession(flags);
  try {
    const output = await openOutput(undefined);
    await output.write(await answers(session));
    await output.write(await figures(session, name));
  } finally {
    await session.close();
  }
}

async function answers(session: Session): Promise<string> {
  const [texts, questions] = await Promise.all([session.embed(sentences), session.embed(queries)]);
  const { data, columns } = similarityMatrix(questions, texts);
  return queries
    .map((query, row) => {
      const best = sentences
        .map((sentence, column) => ({ sentence, cosine: data[row * columns + column] ?? 0 }))
        .sort((a, b) => b.cosine - a.cosine)
        .slice(0, 3);
      return `${query}\n${best.map(({ sentence, cosine }) => `  ${cosine.toFixed(4)}  ${sentence}\n`).join('')}\n`;
    })
    .join('');
}

async function figures(session: Session, name: string): Promise<string> {
  const one = await session.run(sentences[0] ?? '');
  const { data } = await session.embed(sentences[0] ?? '');
  const many = Array.from({ length: repetitions }, () => sentences).flat();
  const begin = performance.now();
  const { tokens } = await session.embed(many);
  const seconds = (performance.now() - begin) / 1000;
  const tokenCount = tokens.reduce((sum, count) => sum + count, 0);
  const { info } = session;
  return factLines([
    ['model', `${name}, ${info.dimensions} dimensions, up to ${info.maxTokens} tokens, ${info.pooling} pooling`],
    ['engine', `${info.engine} on ${info.device}, ${info.dtype}, ${info.threads} threads, ${info.isa} kernels`],
    [
      'vector',
      `${one
        .slice(0, 4)
        .map((value) => value.toFixed(6))
        .join(', ')}, … (length ${Math.hypot(...data).toFixed(6)})`,
    ],
    ['speed', `${perSecond(many.length, seconds)} texts/s, ${perSecond(tokenCount, seconds)} tokens/s`],
  ]);
}

function perSecond(count: number, seconds: number): string {
  return Math.round(count / seconds).toLocaleString('en');
}
