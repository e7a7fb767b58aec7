/** `gteway embed --resume`: whatever ended a run, the next one completes its output, to the byte. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { buildLibrary } from '../built-library.js';
import { cli, cliEnvironment, main, runCli, temporaryDirectory } from './run-cli.js';

beforeAll(() => buildLibrary());

// ONNX Runtime's int8: a text at a time, so that vectors do not depend on where a run began, and slow enough to interrupt.
const embed = ['embed', '--model', 'fixture', '--engine', 'ort', '--dtype', 'int8', '--threads', '2'];
const textCount = 6000;

function makeInput(directory: string): string {
  const file = join(directory, 'texts.txt');
  const lines = Array.from({ length: textCount }, (_, i) => `text ${i} ${'word '.repeat((i * 7) % 60)}`);
  // One is too long, so that the count of cut texts has to survive too.
  lines[100] = 'word '.repeat(700);
  writeFileSync(file, lines.join('\n'));
  return file;
}

interface Run {
  readonly directory: string;
  readonly input: string;
  readonly output: string;
  readonly args: string[];
}

function makeRun(name: string, options: readonly string[] = []): Run {
  const directory = temporaryDirectory();
  const input = makeInput(directory);
  const output = join(directory, name);
  return { directory, input, output, args: [...embed, ...options, '--file', input, '--output', output] };
}

function start(args: readonly string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [main, ...args], { env: cliEnvironment(), stdio: ['ignore', 'ignore', 'ignore'] });
}

/** Runs it until something can be resumed, and `more` milliseconds longer; then kills it. */
async function interrupted(run: Run, more = 0): Promise<void> {
  const child = start(run.args);
  const closed = once(child, 'close');
  while (!existsSync(`${run.output}.partial.json`) && child.exitCode === null) await sleep(5);
  await sleep(more);
  child.kill('SIGKILL');
  await closed;
}

function textsDone(run: Run): number {
  const journal = JSON.parse(readFileSync(`${run.output}.partial.json`, 'utf8')) as { checkpoint: { texts: number } };
  return journal.checkpoint.texts;
}

describe('a killed run', () => {
  test.each([
    ['vectors.npy', []],
    ['vectors.jsonl', []],
    ['vectors.json', ['--pooling', 'none', '--dimensions', '3']],
    ['vectors.csv', ['--dimensions', '16']],
  ])('%s: kill -9 at random points, then --resume gives the bytes of an undisturbed run', async (name, options) => {
    const whole = makeRun(name, options);
    const { stderr } = await cli(whole.args);
    const run = makeRun(name, options);
    const killedAfter: number[] = [];
    for (let i = 0; i < 4 && !existsSync(run.output); i++) {
      const milliseconds = Math.round(Math.random() * 1800);
      killedAfter.push(milliseconds);
      const child = start([...run.args, '--resume']);
      const closed = once(child, 'close');
      await Promise.race([sleep(milliseconds), closed]);
      child.kill('SIGKILL');
      await closed;
    }
    const last = await cli([...run.args, '--resume']);
    const same = readFileSync(run.output).equals(readFileSync(whole.output));
    expect(same, `killed after ${killedAfter.join(', ')} ms`).toBe(true);
    expect(readdirSync(run.directory).sort()).toEqual(['texts.txt', name].sort());
    expect(stderr).toContain(`1 of ${textCount} texts had more than 512 tokens`);
    expect(last.stderr).toContain(
      `1 of ${textCount} texts had more than 512 tokens and were cut (the first: number 101)`,
    );
  });

  test('is continued and not begun again; a run without --resume begins again', async () => {
    const run = makeRun('vectors.npy');
    await interrupted(run);
    const done = textsDone(run);
    expect(done).toBeGreaterThan(0);
    copyFileSync(`${run.output}.partial`, join(run.directory, 'kept'));
    copyFileSync(`${run.output}.partial.json`, join(run.directory, 'kept.json'));
    const resumed = await cli([...run.args, '--resume']);
    expect(resumed.stderr).toContain(`${done.toLocaleString('en')} texts are done already`);
    const bytes = readFileSync(run.output);

    copyFileSync(join(run.directory, 'kept'), `${run.output}.partial`);
    copyFileSync(join(run.directory, 'kept.json'), `${run.output}.partial.json`);
    const again = await cli(run.args);
    expect(again.stderr).not.toContain('are done already');
    expect(readFileSync(run.output).equals(bytes)).toBe(true);
    expect(existsSync(`${run.output}.partial.json`)).toBe(false);
  });

  test('half a row behind the last checkpoint is cut off', async () => {
    const run = makeRun('vectors.jsonl');
    await interrupted(run);
    appendFileSync(`${run.output}.partial`, '{"index":999999,"tokens":3,"embedd');
    await cli([...run.args, '--resume']);
    const lines = readFileSync(run.output, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual(
      Array.from({ length: textCount }, (_, i) => i),
    );
  });

  test('SIGINT keeps what is done, and says how to go on; the output is not there yet', async () => {
    const run = makeRun('vectors.csv');
    const child = spawn(process.execPath, [main, ...run.args], { env: cliEnvironment(), stdio: 'pipe' });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    while (!existsSync(`${run.output}.partial.json`)) await sleep(5);
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(stderr).toMatch(
      /texts are done, and kept in .*vectors\.csv\.partial; the same command with --resume goes on/,
    );
    expect(readdirSync(run.directory).sort()).toEqual(['texts.txt', 'vectors.csv.partial', 'vectors.csv.partial.json']);
    await cli([...run.args, '--resume']);
    expect(readFileSync(run.output, 'utf8').trimEnd().split('\n')).toHaveLength(textCount);
  });

  test('what was piped in is resumed by piping it in again', async () => {
    const run = makeRun('vectors.npy');
    await interrupted(run);
    const withoutFile = run.args.filter((arg) => arg !== '--file' && arg !== run.input);
    const { stderr } = await cli([...withoutFile, '--resume'], { input: readFileSync(run.input) });
    expect(stderr).toContain('are done already');
    const whole = makeRun('vectors.npy');
    await cli(whole.args);
    expect(readFileSync(run.output).equals(readFileSync(whole.output))).toBe(true);
  });

  test('with nothing to resume, --resume begins', async () => {
    const run = makeRun('vectors.npy');
    await cli([...run.args, '--resume']);
    expect(readdirSync(run.directory).sort()).toEqual(['texts.txt', 'vectors.npy']);
  });
});

describe('--resume refuses', () => {
  async function refusal(args: readonly string[]): Promise<string> {
    const { code, stderr } = await runCli([...args, '--resume']);
    expect(code).toBe(1);
    return stderr;
  }

  test('other options, another format, another input and an output that was tampered with, each by its name', async () => {
    const run = makeRun('vectors.npy');
    await interrupted(run);
    const before = readFileSync(`${run.output}.partial`);
    const cannot = `gteway: cannot resume ${run.output}: `;
    const dtype = run.args.indexOf('int8');
    const cases: [args: string[], message: string][] = [
      [[...run.args, '--dimensions', '8'], 'the number of dimensions was 96 and is 8 now'],
      [[...run.args, '--no-normalize'], 'normalize was true and is false now'],
      [[...run.args, '--pooling', 'cls'], 'pooling was mean and is cls now'],
      [[...run.args, '--no-truncate'], 'truncate was true and is false now'],
      [[...run.args, '--prompt-text', 'query: '], 'the prompt was not given and is query:  now'],
      [[...run.args, '--format', 'csv'], 'the format was npy and is csv now'],
      [run.args.with(dtype, 'fp32'), 'dtype was int8 and is fp32 now'],
    ];
    for (const [args, message] of cases) expect(await refusal(args)).toContain(cannot + message);

    const text = readFileSync(run.input, 'utf8');
    writeFileSync(run.input, text.replace('text 17 ', 'text seventeen '));
    expect(await refusal(run.args)).toMatch(/the first \d+ texts of the input are not the ones that were embedded/);
    writeFileSync(run.input, 'text 0 \ntext 1');
    expect(await refusal(run.args)).toMatch(/the input has 2 texts, fewer than the \d+ that were embedded/);
    writeFileSync(run.input, text);

    // None of them has touched what there was.
    expect(readFileSync(`${run.output}.partial`).equals(before)).toBe(true);
    truncateSync(`${run.output}.partial`, 1000);
    expect(await refusal(run.args)).toMatch(/\.partial has 1000 bytes, and .* says that it had \d+/);
    writeFileSync(`${run.output}.partial.json`, '{}');
    expect(await refusal(run.args)).toContain('is not a journal of this version of gteway; delete it to start over');
  });

  test('a model whose files were changed', async () => {
    const run = makeRun('vectors.npy');
    const model = join(run.directory, 'model');
    cpSync(inject('fixture'), model, { recursive: true });
    const args = run.args.with(run.args.indexOf('fixture'), model);
    await interrupted({ ...run, args });
    const tokenizer = join(model, 'tokenizer.json');
    writeFileSync(tokenizer, readFileSync(tokenizer, 'utf8').replace(/"lowercase": ?true/, '"lowercase":false'));
    const { code, stderr } = await runCli([...args, '--resume']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('the model gives other vectors than it gave')]);
  });

  test('an output that another process is writing', async () => {
    const run = makeRun('vectors.npy');
    const lock = `${run.output}.partial.lock`;
    writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname(), id: 'this test' }));
    const alive = setInterval(() => utimesSync(lock, new Date(), new Date()), 500);
    try {
      const { code, stderr } = await runCli([...run.args, '--resume']);
      expect([code, stderr]).toEqual([1, expect.stringContaining('another process is writing it')]);
    } finally {
      clearInterval(alive);
    }
  });

  test.each([
    ['no output', [], '--resume goes on with an output file'],
    ['stdout by another name', ['--output', '/dev/null', '--format', 'npy'], '/dev/null is none'],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await runCli([...embed, ...args, '--resume'], { input: 'text' });
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('a full disk keeps what is done; with more room, --resume completes it', (context) => {
  const probe = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']);
  if (probe.status !== 0) context.skip('needs to mount a small file system: unshare -rm is not possible here');
  const whole = makeRun('vectors.npy');
  const disk = join(whole.directory, 'disk');
  const command = [process.execPath, main, ...whole.args].map((part) => `'${part}'`).join(' ');
  const onDisk = command.replace(whole.output, join(disk, 'vectors.npy'));
  const script = `
    set -u
    ${command} || exit 90
    mkdir '${disk}' && mount -t tmpfs -o size=1m none '${disk}' || exit 91
    ${onDisk}
    echo "first: $?"; ls '${disk}'
    mount -o remount,size=32m '${disk}' || exit 92
    ${onDisk} --resume
    echo "second: $?"; ls '${disk}'
    cmp '${whole.output}' '${disk}/vectors.npy' && echo identical`;
  const { status, stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script], {
    env: cliEnvironment(),
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(
    /^first: 1\nvectors\.npy\.partial\nvectors\.npy\.partial\.json\nsecond: 0\nvectors\.npy\nidentical\n$/,
  );
  expect(stderr).toContain('the disk is full');
  expect(stderr).toContain('the same command with --resume goes on');
  expect(stderr).toContain('texts are done already; going on behind them');
});
