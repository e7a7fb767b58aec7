/** `gteway serve` as a process: its options end to end, its log, its signals, its exit codes. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { serveOptionNames, variableOf } from '../../lib/server/options.js';
import { buildLibrary } from '../built-library.js';
import { cliEnvironment, main, runCli, temporaryDirectory } from '../cli/run-cli.js';
import { get, post } from './serve-fixture.js';
import { until } from '../until.js';

beforeAll(buildLibrary);

type Line = Readonly<Record<string, unknown>>;

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly url: string;
  readonly lines: readonly Line[];
  readonly stderr: () => string;
  readonly exit: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
}

const serveFixture = ['serve', '--model', 'fixture', '--port', '0', '--threads', '1'];

async function serve(args: readonly string[] = serveFixture, env: Record<string, string> = {}): Promise<Running> {
  const child = spawn(process.execPath, [main, ...args], { env: cliEnvironment(env) });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: Line[] = [];
  let rest = '';
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdout.on('data', (data: Buffer) => {
    const parts = (rest + data.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((line) => JSON.parse(line) as Line));
  });
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const url = await until(() => {
    if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}: ${stderr}`);
    const ready = lines.find(({ msg }) => msg === 'ready');
    expect(ready, stderr).toBeDefined();
    return ready?.url as string;
  });
  return { child, url, lines, stderr: () => stderr, exit };
}

const longTexts = Array.from({ length: 400 }, (_, i) => `${i} ${'many words of a passage '.repeat(80)}`);

async function untilBusy({ url }: Running): Promise<void> {
  await until(async () => expect((await get(`${url}/metrics`)).text).toMatch(/^gteway_queue_texts\{.*\} [1-9]/m));
}

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s: what runs is finished, then exit code 0', async (signal) => {
    const running = await serve();
    const answer = post(`${running.url}/embed`, { inputs: longTexts });
    await untilBusy(running);
    running.child.kill(signal);
    const { status, json } = await answer;
    expect([status, (json as number[][]).length]).toEqual([200, longTexts.length]);
    expect(await running.exit).toEqual([0, null]);
    expect(running.lines.map(({ msg }) => msg).slice(-3)).toEqual(['closing', 'answered', 'closed']);
    expect(running.stderr()).toBe('');
  });

  test('a second one ends it at once, with the shell’s code for it', async () => {
    const running = await serve([...serveFixture, '--shutdown-timeout', '100']);
    const answer = post(`${running.url}/embed`, { inputs: [...longTexts, ...longTexts, ...longTexts] });
    answer.catch(() => undefined);
    await untilBusy(running);
    running.child.kill('SIGTERM');
    await until(() => expect(running.lines.at(-1)).toMatchObject({ msg: 'closing', inFlight: 1 }));
    running.child.kill('SIGTERM');
    expect(await running.exit).toEqual([128 + 15, null]);
    await expect(answer).rejects.toThrow(/hang up|ECONNRESET/);
  });

  test('the deadline: exit code 0 although something still ran', async () => {
    const running = await serve([...serveFixture, '--shutdown-timeout', '0.05']);
    const answer = post(`${running.url}/embed`, { inputs: [...longTexts, ...longTexts, ...longTexts] });
    await untilBusy(running);
    running.child.kill('SIGTERM');
    expect((await answer).status).toBe(503);
    expect(await running.exit).toEqual([0, null]);
  });
});

describe('options', () => {
  test('of flags, variables and the file all arrive', async () => {
    const file = join(temporaryDirectory(), 'serve.json');
    writeFileSync(
      file,
      JSON.stringify({ maxBatch: 3, maxQueue: 11, model: [`from-file=${inject('fixture')}`], port: 1 }),
    );
    const env = { GTEWAY_SERVE_CONFIG: file, GTEWAY_SERVE_MAX_QUEUE: '22', GTEWAY_SERVE_PORT: '0' };
    const running = await serve(['serve', '--model', `from-flag=${inject('fixture')}`, '--api-key', 'a,b'], env);
    const { json } = await get(`${running.url}/info`, { authorization: 'Bearer a,b' });
    expect(json).toMatchObject({ model_id: 'from-flag', max_client_batch_size: 3, max_concurrent_requests: 22 });
    running.child.kill('SIGTERM');
    expect(await running.exit).toEqual([0, null]);
  });

  const failures: readonly (readonly [what: string, args: string[], env: Record<string, string>, message: RegExp])[] = [
    ['an unknown flag', ['--max-bach', '3'], {}, /unknown option '--max-bach'\n\(Did you mean --max-batch\?\)/],
    [
      'an unknown variable',
      [],
      { GTEWAY_SERVE_PROT: '1' },
      /unknown option 'GTEWAY_SERVE_PROT'; did you mean 'GTEWAY_SERVE_PORT'\?/,
    ],
    ['a value that cannot be', ['--port', '99999'], {}, /It must be a whole number from 0 to 65535, not 99999\./],
    ['a language model', ['--model', 'mistral'], {}, /'mistral' is no embedding model.*not served here/],
    [
      'a file that is not there',
      ['--config', '/no/such.json'],
      {},
      /cannot read \/no\/such\.json: there is no such file/,
    ],
    ['half of TLS', ['--tls-cert', 'a.pem'], {}, /tlsCert is set, but not tlsKey/],
  ];
  test.each(failures)('%s: exit code 2 and why', async (_what, args, env, message) => {
    const { code, stderr, stdout } = await runCli(['serve', ...args], { env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test('a model that is not there, a key file that is not, an address that is not: exit code 1 and why', async () => {
    const missing = await runCli(['serve', '--port', '0', '--model', './no-such-model']);
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/no-such-model.*\[ERR_MODEL_NOT_FOUND\]/s),
    ]);
    const keys = await runCli(['serve', '--port', '0', '--api-key-file', '/no/such/keys']);
    expect([keys.code, keys.stderr]).toEqual([
      1,
      expect.stringMatching(/cannot read \/no\/such\/keys: there is no such file/),
    ]);
    const host = await runCli(['serve', '--port', '0', '--host', '192.0.2.1']);
    expect([host.code, host.stderr]).toEqual([
      1,
      expect.stringMatching(/cannot listen on 192\.0\.2\.1:0: this machine has no such address/),
    ]);
  });

  test('the help names each with its default, and the variables', async () => {
    const { stdout } = await runCli(['serve', '--help']);
    const words = stdout.replaceAll(/\s+/g, ' ');
    for (const name of serveOptionNames) {
      expect(words).toContain(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
    }
    expect(words).toContain(variableOf('maxBatch'));
    expect(words).toContain('(default: 8MiB)');
  });
});

test('importing the library loads nothing of the server', async () => {
  const script = `await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)});
    const { createRequire } = await import('node:module');
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify(loaded.filter((file) => /node_modules.(fastify|pino|prom-client|@fastify)/.test(file))));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let stdout = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  await once(child, 'close');
  expect(JSON.parse(stdout)).toEqual([]);
});
