/** `gteway embed --chunk`: the library's chunks and vectors in every format, and a run that goes on within a text. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { chunkIdentity } from '../../lib/cli/chunked-texts.js';
import type { Journal } from '../../lib/cli/vector-file/journal.js';
import { TextHash } from '../../lib/cli/vector-file/text-hash.js';
import { type EmbeddedDocument, Session } from '../../lib/index.js';
import { buildLibrary } from '../built-library.js';
import { hostileText, randomFrom } from '../documents/hostile-text.js';
import { cosine } from '../fixtures/vectors.js';
import { cli, cliEnvironment, main, peakMegabytes, runCli, temporaryDirectory } from './run-cli.js';

const embed = ['embed', '--model', 'fixture'];
const random = randomFrom(7);
const page =
  '# Cats\n\nCats sleep a lot.\n\n## Sleep, "deep"\n\nThey dream of mice, birds and dogs.\n\n# Dogs\n\nDogs bark.';
/** The second one has no chunk; the last ones are what splitters break on. */
const documents = [page.repeat(3), '', 'A short one.', ...Array.from({ length: 20 }, () => hostileText(random, 60))];
const lines = documents.map((text) => JSON.stringify({ text })).join('\n');

interface Row {
  readonly index: number;
  readonly document: number;
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  readonly headings?: readonly string[];
  readonly embedding: readonly number[];
}

function rowsOf(jsonl: string): Row[] {
  return jsonl
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

let session: Session;
beforeAll(async () => {
  await buildLibrary();
  session = await Session.load(inject('fixture'));
});
afterAll(() => session.close());

function expectRows(rows: readonly Omit<Row, 'index'>[], { chunks, embeddings }: EmbeddedDocument): void {
  expect(rows.map(placeOf)).toEqual(chunks.map(placeOf));
  for (const [i, { embedding }] of rows.entries())
    expect(cosine(embedding, embeddings.at(i))).toBeGreaterThan(0.999999);
}

function placeOf({ document, start, end, tokens, headings }: Omit<Row, 'index' | 'embedding'>): unknown {
  return { document, start, end, tokens, headings };
}

describe('a row for each chunk', () => {
  test.each([
    ['the defaults', ['--chunk', '24'], { maxTokens: 24 }],
    ['overlap', ['--chunk', '24', '--overlap', '8', '--by', 'sentence'], { maxTokens: 24, overlap: 8, by: 'sentence' }],
    ['headings', ['--chunk', '32', '--by', 'markdown'], { maxTokens: 32, by: 'markdown' }],
    ['a prompt', ['--chunk', '24', '--prompt-text', 'passage: '], { maxTokens: 24, prompt: { text: 'passage: ' } }],
  ] as const)('%s: what embedDocument gives, in JSON lines', async (_, args, options) => {
    const { stdout } = await cli([...embed, ...args, '--input', 'jsonl'], { input: lines });
    const rows = rowsOf(stdout);
    const wanted = await session.embedDocument(documents, options);
    expect(rows.map(({ index }) => index)).toEqual(wanted.chunks.map((_, i) => i));
    expectRows(rows, wanted);
    expect(rows.some(({ document }) => document === 1)).toBe(false);
    for (const { document, start, end, tokens } of rows) {
      expect(tokens).toBeLessThanOrEqual(options.maxTokens);
      expect(documents[document]?.slice(start, end)).toHaveLength(end - start);
    }
  });

  test('json has them as objects, csv in columns, npy the rows alone', async () => {
    const args = [...embed, '--chunk', '24', '--by', 'markdown', page, 'another text'];
    const wanted = await session.embedDocument([page, 'another text'], { maxTokens: 24, by: 'markdown' });
    expect(wanted.chunks.length).toBe(3);
    const rows = JSON.parse((await cli(args)).stdout) as Row[];
    expectRows(rows, wanted);

    const csv = (await cli([...args, '--format', 'csv'])).stdout.trimEnd().split('\n');
    for (const [i, { document, start, end, tokens, headings: under, embedding }] of rows.entries()) {
      const [, numbers = '', headings = '', values = ''] =
        /^((?:\d+,){4})"((?:[^"]|"")*)",(.*)$/.exec(csv[i] ?? '') ?? [];
      expect(numbers).toBe(`${[document, start, end, tokens].join(',')},`);
      expect(JSON.parse(headings.replaceAll('""', '"'))).toEqual(under);
      expect(values.split(',').map((value) => Math.fround(Number(value)))).toEqual(embedding.map(Math.fround));
    }
    expect(csv).toHaveLength(rows.length);

    const { bytes } = await cli([...args, '--format', 'npy']);
    expect(bytes.toString('latin1', 0, 128)).toContain(`'shape': (${rows.length}, 96)`);
    expect(Array.from(new Float32Array(Uint8Array.from(bytes.subarray(128)).buffer))).toEqual(
      rows.flatMap(({ embedding }) => embedding.map(Math.fround)),
    );
  });

  test('memory does not grow with the number of texts', async () => {
    const input = (count: number): string =>
      `${'the quick brown fox jumps over the lazy dog. '.repeat(40)}\n`.repeat(count);
    const args = [...embed, '--chunk', '64', '--format', 'npy', '--output', '/dev/null'];
    const small = await peakMegabytes(args, input(300));
    const large = await peakMegabytes(args, input(3000));
    // 5 MB of text more, and 25,000 chunks, whose rows alone are 9 MB.
    expect(large - small).toBeLessThan(80);
  });
});

describe('misuse', () => {
  test.each([
    ['overlap without chunks', ['--overlap', '8'], '--overlap is about chunks'],
    ['a boundary without chunks', ['--by', 'word'], '--by is about chunks'],
    ['more than the model takes', ['--chunk', '513'], '--chunk 513 is more than the 512 tokens that the model takes'],
    [
      'more than a prompt leaves',
      ['--chunk', '512', '--prompt-text', 'query: '],
      /--chunk 512 is more than the 51\d tokens that the model takes behind a prompt of \d/,
    ],
    ['no room beside special tokens', ['--chunk', '2'], 'maxTokens is 2, but must be at least 3'],
    ['more overlap than half a chunk', ['--chunk', '22', '--overlap', '11'], 'overlap is 11, more than half of the 20'],
    ['a matrix for each chunk', ['--chunk', '24', '--pooling', 'none'], '--pooling none gives no vector of a chunk'],
    ['cutting what is not too long', ['--chunk', '24', '--truncate'], 'with --chunk nothing is too long'],
    ['failing for what is not too long', ['--chunk', '24', '--no-truncate'], 'with --chunk nothing is too long'],
    ['an unknown boundary', ['--chunk', '24', '--by', 'page'], 'Allowed choices are paragraph, sentence, word'],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await runCli([...embed, ...args, 'a text']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

test('a character with more tokens than a chunk has room for is told with its text', async () => {
  const model = join(temporaryDirectory(), 'model');
  cpSync(inject('fixture'), model, { recursive: true });
  const path = join(model, 'tokenizer.json');
  const tokenizer = JSON.parse(readFileSync(path, 'utf8')) as { normalizer: unknown };
  const replace = { type: 'Replace', pattern: { String: 'x' }, content: 'one two three' };
  tokenizer.normalizer = { type: 'Sequence', normalizers: [replace, tokenizer.normalizer] };
  writeFileSync(path, JSON.stringify(tokenizer));
  const { code, stderr } = await runCli(['embed', '--model', model, '--chunk', '4', 'fine', 'x']);
  expect(code).toBe(1);
  expect(stderr).toContain('gteway: text number 2 cannot be cut: chunk: maxTokens leaves room for 2 tokens');
});

describe('--resume', () => {
  // A text at a time, as in resume.test.ts: vectors do not depend on where a run began.
  const exact = [...embed, '--engine', 'ort', '--dtype', 'int8', '--threads', '2'];
  const chunking = ['--chunk', '16', '--overlap', '4', '--by', 'markdown'];
  const texts = [
    page.repeat(30),
    '',
    ...Array.from({ length: 30 }, (_, i) => `# Text ${i}\n\n${'word '.repeat(i * 3)}`),
  ];
  const input = texts.map((text) => JSON.stringify({ text })).join('\n');

  interface Stopped {
    readonly output: string;
    readonly args: string[];
    readonly partial: string;
    readonly journal: string;
  }

  /** A run that was killed when its journal was there: it had the first text, and waited for more. */
  async function stopped(name: string): Promise<Stopped> {
    const output = join(temporaryDirectory(), name);
    const args = [...exact, ...chunking, '--input', 'jsonl', '--output', output];
    const child = spawn(process.execPath, [main, ...args], {
      env: cliEnvironment(),
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const closed = once(child, 'close');
    child.stdin.write(`${JSON.stringify({ text: texts[0] })}\n`);
    const partial = `${output}.partial`;
    while (!existsSync(`${partial}.json`) && child.exitCode === null) await sleep(5);
    child.kill('SIGKILL');
    await closed;
    return { output, args, partial, journal: `${partial}.json` };
  }

  function journalOf({ journal }: Stopped): Journal {
    return JSON.parse(readFileSync(journal, 'utf8')) as Journal;
  }

  async function whole(name: string): Promise<Buffer> {
    const output = join(temporaryDirectory(), name);
    await cli([...exact, ...chunking, '--input', 'jsonl', '--output', output], { input });
    return readFileSync(output);
  }

  test.each(['chunks.npy', 'chunks.jsonl', 'chunks.json', 'chunks.csv'])(
    '%s: after kill -9 it has the bytes of an undisturbed run',
    async (name) => {
      const run = await stopped(name);
      const { texts: done } = journalOf(run).checkpoint;
      expect(done).toBeGreaterThan(0);
      const { stderr } = await cli([...run.args, '--resume'], { input });
      expect(stderr).toContain(`${done.toLocaleString('en')} chunks are done already; going on behind them`);
      expect(readFileSync(run.output).equals(await whole(name))).toBe(true);
    },
  );

  test('goes on behind any chunk: within a text, at its end, behind an empty one', async () => {
    const wanted = await whole('chunks.jsonl');
    const rows = rowsOf(wanted.toString());
    const ofFirst = rows.filter(({ document }) => document === 0).length;
    const run = await stopped('chunks.jsonl');
    const journal = journalOf(run);
    for (const done of [1, Math.floor(ofFirst / 2), ofFirst, ofFirst + 1, rows.length - 1, rows.length]) {
      const before = wanted.toString().split('\n').slice(0, done).join('\n') + '\n';
      const hash = new TextHash();
      for (const row of rows.slice(0, done)) {
        hash.add([chunkIdentity({ ...row, text: (texts[row.document] ?? '').slice(row.start, row.end) })]);
      }
      const checkpoint = {
        texts: done,
        bytes: Buffer.byteLength(before),
        textHash: hash.digest(),
        cut: 0,
        firstCut: 0,
      };
      writeFileSync(run.journal, JSON.stringify({ ...journal, checkpoint }));
      writeFileSync(run.partial, `${before}{"index":`);
      await cli([...run.args, '--resume'], { input });
      expect(readFileSync(run.output).equals(wanted), `behind chunk ${done}`).toBe(true);
    }
  });

  test('refuses other chunks, and the same chunks of other texts, and says so', async () => {
    const run = await stopped('chunks.jsonl');
    const refusals: [args: string[], input: string, message: string | RegExp][] = [
      [run.args.with(run.args.indexOf('16'), '24'), input, 'the most tokens of a chunk was 16 and is 24 now'],
      [run.args.with(run.args.indexOf('4'), '5'), input, 'the overlap of chunks was 4 and is 5 now'],
      [run.args.with(run.args.indexOf('markdown'), 'word'), input, 'where chunks are cut was markdown and is word now'],
      [
        run.args.filter((arg) => !chunking.includes(arg)),
        input,
        'the most tokens of a chunk was 16 and is not given now',
      ],
      // The chunks are the same, but they are of the text behind an empty one.
      [run.args, `""\n${input}`, /the first \d+ chunks of the input are not the ones that were embedded/],
      [run.args, '"short"', /the input has 1 chunks, fewer than the \d+ that were embedded/],
    ];
    for (const [args, text, message] of refusals) {
      const { code, stderr } = await runCli([...args, '--resume'], { input: text });
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
    }
  });
});
