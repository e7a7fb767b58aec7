/** `gteway embed`: every way in, every format out, and that its vectors are the library's. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Embeddings, Session } from '../../lib/index.js';
import { buildLibrary } from '../built-library.js';
import { cosine, length } from '../fixtures/vectors.js';
import { cli, cliEnvironment, main, peakMegabytes, runCli, temporaryDirectory } from './run-cli.js';

const embed = ['embed', '--model', 'fixture'];
const dimensions = 96;
const texts = ['Hello world', 'a small dog', ''];
let session: Session;
let expected: Embeddings;

beforeAll(async () => {
  await buildLibrary();
  session = await Session.load(inject('fixture'));
  expected = await session.embed(texts);
});
afterAll(() => session.close());

function expectRows(rows: readonly ArrayLike<number>[], wanted: Embeddings = expected): void {
  expect(rows).toHaveLength(wanted.rows);
  // Not bit for bit: what shares a batch with a text may change ONNX Runtime's last bits.
  for (const [i, row] of rows.entries()) expect(cosine(row, wanted.at(i))).toBeGreaterThan(0.999999);
}

interface JsonLine {
  index: number;
  tokens: number;
  truncated: boolean;
  embedding: number[];
}

function jsonLines(stdout: string): JsonLine[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonLine);
}

/** Reads a .npy as its specification says, header and all. */
function parseNpy(bytes: Buffer): { rows: number; columns: number; data: Float32Array } {
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
  const headerEnd = 10 + bytes.readUInt16LE(8);
  expect(headerEnd % 64).toBe(0);
  const header = bytes.toString('latin1', 10, headerEnd);
  const match = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n$/.exec(header);
  expect(match, header).not.toBeNull();
  const body = bytes.subarray(headerEnd);
  const data = Float32Array.from({ length: body.length / 4 }, (_, i) => body.readFloatLE(i * 4));
  return { rows: Number(match?.[1]), columns: Number(match?.[2]), data };
}

function rowsOf({ data, columns }: { data: Float32Array; columns: number }): Float32Array[] {
  return Array.from({ length: data.length / columns }, (_, i) => data.subarray(i * columns, (i + 1) * columns));
}

describe('texts', () => {
  test('arguments give a JSON array of vectors', async () => {
    const { stdout } = await cli([...embed, ...texts]);
    expectRows(JSON.parse(stdout) as number[][]);
  });

  test('lines of stdin give a JSON line each, blank ones too', async () => {
    const { stdout } = await cli(embed, { input: 'Hello world\r\na small dog\n\n' });
    const lines = jsonLines(stdout);
    expectRows(lines.map(({ embedding }) => embedding));
    expect(lines.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(lines.map(({ tokens }) => tokens)).toEqual(Array.from(expected.tokens));
    expect(lines.every(({ truncated }) => !truncated)).toBe(true);
  });

  test('a last line without an end counts, and a byte order mark does not', async () => {
    const { stdout } = await cli([...embed, '--file', '-'], { input: '\ufeffHello world\na small dog' });
    expect(jsonLines(stdout)).toHaveLength(2);
    expect(cosine(jsonLines(stdout)[0]?.embedding ?? [], expected.at(0))).toBeGreaterThan(0.999999);
  });

  test('JSON lines are strings or objects; --field names the text', async () => {
    const file = join(temporaryDirectory(), 'texts.jsonl');
    writeFileSync(file, '"Hello world"\n\n{"id":1,"text":"a small dog"}\n{"text":""}\n');
    expectRows(jsonLines((await cli([...embed, '-f', file])).stdout).map(({ embedding }) => embedding));
    const input = '{"body":"Hello world"}\n{"body":"a small dog"}\n{"body":""}\n';
    const { stdout } = await cli([...embed, '--input', 'jsonl', '--field', 'body'], { input });
    expectRows(jsonLines(stdout).map(({ embedding }) => embedding));
  });

  test('UTF-8 that is split between chunks of a pipe stays whole', async () => {
    const child = spawn(process.execPath, [main, ...embed], {
      env: cliEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const bytes = Buffer.from('naïve café 😀\n');
    for (const byte of bytes) {
      child.stdin.write(Buffer.of(byte));
      await sleep(2);
    }
    child.stdin.end();
    expect(await once(child, 'close')).toEqual([0, null]);
    expectRows(
      jsonLines(stdout).map(({ embedding }) => embedding),
      await session.embed('naïve café 😀'),
    );
  });

  test('a pipe that pauses gets what it asked for so far', async () => {
    const child = spawn(process.execPath, [main, ...embed], {
      env: cliEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.write('Hello world\n');
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    expect(chunk.toString()).toMatch(/^\{"index":0,/);
    child.stdin.end();
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  test('many slices keep their order', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => `text ${i} ${'word '.repeat(i % 7)}`);
    const { bytes } = await cli([...embed, '--format', 'npy'], { input: many.join('\n') });
    expectRows(rowsOf(parseNpy(bytes)), await session.embed(many));
  });

  test('no text is no row', async () => {
    expect((await cli(embed, { input: '' })).stdout).toBe('');
    expect((await cli([...embed, '--format', 'json'], { input: '' })).stdout).toBe('[]\n');
    expect((await cli([...embed, '--format', 'csv'], { input: '' })).stdout).toBe('');
    const { rows, columns, data } = parseNpy((await cli([...embed, '--format', 'npy'], { input: '' })).bytes);
    expect([rows, columns, data.length]).toEqual([0, dimensions, 0]);
  });

  test('memory does not grow with the input', async () => {
    const lines = (count: number): string => 'the quick brown fox jumps over the lazy dog\n'.repeat(count);
    const args = [...embed, '--format', 'jsonl', '--output', '/dev/null'];
    const small = await peakMegabytes(args, lines(20_000));
    const large = await peakMegabytes(args, lines(120_000));
    // 100,000 more results are 200 MB of JSON; what grows is what the collector has not yet found worth collecting.
    expect(large - small).toBeLessThan(80);
  });
});

describe('formats and files', () => {
  test('csv is the values of a vector on each line', async () => {
    const { stdout } = await cli([...embed, '--format', 'csv', ...texts]);
    const lines = stdout.trimEnd().split('\n');
    expectRows(lines.map((line) => line.split(',').map(Number)));
  });

  test('npy through a pipe and into a file are the same bytes, and the values are exact', async () => {
    const file = join(temporaryDirectory(), 'vectors.npy');
    await cli([...embed, ...texts, '--output', file]);
    const npy = parseNpy(readFileSync(file));
    expect([npy.rows, npy.columns]).toEqual([texts.length, dimensions]);
    expectRows(rowsOf(npy));
    expect((await cli([...embed, ...texts, '--format', 'npy'])).bytes).toEqual(readFileSync(file));
    const json = JSON.parse((await cli([...embed, ...texts])).stdout) as number[][];
    expect(Float32Array.from(json.flat())).toEqual(npy.data);
  });

  test('the output file appears whole: its name chooses the format, its mode stays, nothing is left beside it', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'vectors.csv');
    writeFileSync(file, 'before');
    chmodSync(file, 0o640);
    await cli([...embed, ...texts, '-o', file]);
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(3);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(directory)).toEqual(['vectors.csv']);
  });

  test('a link stays a link, and a device is written to', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'target.json'), '');
    symlinkSync('target.json', join(directory, 'link.json'));
    await cli([...embed, 'Hello', '-o', join(directory, 'link.json')]);
    expect(lstatSync(join(directory, 'link.json')).isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync(join(directory, 'target.json'), 'utf8'))).toHaveLength(1);
    await cli([...embed, 'Hello', '-o', '/dev/null', '--format', 'npy']);
    expect(lstatSync('/dev/null').isFile()).toBe(false);
  });

  test('what fails on the way leaves the old file as it was', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'vectors.jsonl');
    writeFileSync(file, 'before');
    const input = `${'"text"\n'.repeat(3000)}oops\n`;
    const { code, stderr } = await runCli([...embed, '--input', 'jsonl', '-o', file], { input });
    expect(code).toBe(1);
    expect(stderr).toContain('gteway: stdin:3001: this line is not JSON');
    expect(readFileSync(file, 'utf8')).toBe('before');
    // On a slow machine it may have come as far as something worth resuming.
    expect(readdirSync(directory).filter((name) => !name.includes('.partial'))).toEqual(['vectors.jsonl']);
  });
});

describe('options', () => {
  test('--dimensions cuts and normalises again', async () => {
    const [row = []] = JSON.parse((await cli([...embed, 'Hello world', '--dimensions', '8'])).stdout) as number[][];
    expect(row).toHaveLength(8);
    expect(length(row)).toBeCloseTo(1, 5);
    expect(cosine(row, expected.at(0).subarray(0, 8))).toBeGreaterThan(0.999999);
  });

  test('--no-normalize keeps lengths; --pooling cls and none are those of the library', async () => {
    const [raw = []] = JSON.parse((await cli([...embed, 'Hello world', '--no-normalize'])).stdout) as number[][];
    expect(length(raw)).not.toBeCloseTo(1, 2);
    expect(cosine(raw, expected.at(0))).toBeGreaterThan(0.999999);
    const cls = JSON.parse((await cli([...embed, ...texts, '--pooling', 'cls'])).stdout) as number[][];
    expectRows(cls, await session.embed(texts, { pooling: 'cls' }));
    const perToken = JSON.parse((await cli([...embed, ...texts, '--pooling', 'none'])).stdout) as number[][][];
    expect(perToken.map((rows) => rows.length)).toEqual(Array.from(expected.tokens));
    expectRows(perToken.flat(), await session.embed(texts, { pooling: 'none' }));
    expect(jsonLines((await cli([...embed, '--pooling', 'none'], { input: 'a b' })).stdout)[0]?.embedding).toHaveLength(
      4,
    );
  });

  test('long texts are cut and told about, or refused with --no-truncate', async () => {
    const long = 'word '.repeat(2000);
    const { stdout, stderr } = await cli(embed, { input: `short\n${long}\n` });
    expect(jsonLines(stdout).map(({ tokens, truncated }) => [tokens, truncated])).toEqual([
      [expect.any(Number), false],
      [512, true],
    ]);
    expect(stderr).toContain('1 of 2 texts had more than 512 tokens and were cut (the first: number 2)');
    const refused = await runCli([...embed, '--no-truncate'], { input: long });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('[ERR_TEXT_TOO_LONG]');
    expect(refused.stderr).toContain('hint: without --no-truncate');
  });

  test('--dtype, --model-file, --threads, --device and --max-batch-tokens reach the session', async () => {
    const choices = [
      ['--dtype', 'fp16'],
      ['--model-file', 'onnx/model_fp16.onnx'],
      ['--threads', '1'],
      ['--device', 'cpu', '--max-batch-tokens', '64'],
    ];
    for (const choice of choices) {
      const [row = []] = JSON.parse((await cli([...embed, 'Hello world', ...choice])).stdout) as number[][];
      expect(cosine(row, expected.at(0)), choice.join(' ')).toBeGreaterThan(0.999);
    }
    const missing = await runCli([...embed, 'a', '--model-file', 'onnx/none.onnx']);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('has no onnx/none.onnx')]);
    const cuda = await runCli([...embed, 'a', '--device', 'cuda']);
    if (cuda.code !== 0) expect(cuda.stderr).toContain('[ERR_DEVICE_UNAVAILABLE]');
  });
});

describe('misuse and failure', () => {
  const cases: [name: string, args: string[], code: number, message: string][] = [
    ['texts and a file', ['a', '--file', 'x'], 2, '--file is for texts from a file or stdin'],
    ['a field of text lines', ['--field', 'x'], 2, '--field is for JSON lines'],
    ['too many dimensions', ['a', '--dimensions', '97'], 2, '--dimensions 97 is more than the 96'],
    ['no threads', ['a', '--threads', '0'], 2, "argument '0' is invalid"],
    ['a half thread', ['a', '--threads', '1.5'], 2, "argument '1.5' is invalid"],
    ['an unknown format', ['a', '--format', 'xml'], 2, 'Allowed choices are json, jsonl, csv, npy'],
    ['matrices as csv', ['a', '--pooling', 'none', '--format', 'csv'], 2, 'which csv cannot hold'],
    ['a missing file', ['--file', 'nope.txt'], 1, 'cannot read nope.txt: there is no such file'],
    ['a directory as a file', ['--file', '/'], 1, 'cannot read /: it is a directory'],
    ['no place for the output', ['a', '-o', '/nope/x.json'], 1, 'cannot write /nope/x.json: there is no such file'],
    ['a directory as the output', ['a', '-o', '/'], 1, 'cannot write /: it is a directory'],
  ];
  for (const [name, args, code, message] of cases) {
    test(name, async () => {
      const result = await runCli([...embed, ...args]);
      expect([result.code, result.stdout]).toEqual([code, '']);
      expect(result.stderr).toMatch(/^gteway: /m);
      expect(result.stderr).toContain(message);
      expect(result.stderr).not.toContain('    at ');
    });
  }

  test('JSON lines that are not texts name their line', async () => {
    const wrong: [string, string][] = [
      ['{"title":"x","body":"y"}', "the object has no field 'text'; it has title, body"],
      ['{"text":1}', "the field 'text' is not a string"],
      ['[1]', 'expected a JSON string or an object'],
      ['null', 'expected a JSON string or an object'],
    ];
    for (const [line, message] of wrong) {
      const { code, stderr } = await runCli([...embed, '--input', 'jsonl'], { input: `"fine"\n${line}\n` });
      expect(code).toBe(1);
      expect(stderr).toContain(`gteway: stdin:2: ${message}`);
    }
  });

  test('SIGINT before the first row ends it with 130 and leaves no file', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'vectors.npy');
    const child = spawn(process.execPath, [main, ...embed, '-o', file], {
      env: cliEnvironment(),
      stdio: ['pipe', 'inherit', 'ignore'],
    });
    child.stdin.on('error', () => undefined);
    // Not a whole line: nothing can be embedded, and nothing is worth keeping.
    child.stdin.write('some te');
    while (readdirSync(directory).length === 0) await sleep(20);
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(readdirSync(directory)).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });

  test('a reader that has enough ends it quietly', async () => {
    const child = spawn(process.execPath, [main, ...embed], { env: cliEnvironment(), stdio: 'pipe' });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.write('some text\n'.repeat(20_000));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(stderr).not.toMatch(/EPIPE|    at /);
  });

  test('a full disk behind stdout is an error', async (context) => {
    if (!existsSync('/dev/full')) context.skip('/dev/full is a device of Linux');
    const child = spawn('sh', ['-c', `"$0" "$@" > /dev/full`, process.execPath, main, ...embed, 'a'], {
      env: cliEnvironment(),
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(stderr).toContain('gteway: cannot write to stdout: the disk is full');
  });
});
