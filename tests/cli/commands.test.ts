/** The other commands, and what all of them have in common: help, exit codes, errors, the fixture's rule. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { Session, similarityMatrix } from '../../lib/index.js';
import { bundledNotice } from '../../lib/models/bundled.js';
import { knownModels } from '../../lib/models/registry.js';
import { knownRerankers } from '../../lib/models/rerankers.js';
import { binding } from '../../lib/native/binding.js';
import { buildLibrary, root } from '../built-library.js';
import { startHub } from '../models/hub-server.js';
import { cli, cliEnvironment, deadHub, fixtureCache, main, runCli, temporaryDirectory } from './run-cli.js';

const version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
const commandNames = ['embed', 'similarity', 'rerank', 'tokenize', 'sync', 'pull', 'info', 'doctor', 'demo'];

beforeAll(buildLibrary);

describe('the command line', () => {
  test('--version and --help, of the whole and of each command, go to stdout with exit code 0', async () => {
    expect((await cli(['--version'])).stdout).toBe(`${version}\n`);
    const { stdout } = await cli(['--help']);
    for (const name of commandNames) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
      const help = await cli([name, '--help']);
      expect(help.stdout).toMatch(new RegExp(`^Usage: gteway ${name} `));
      expect(help.stderr).toBe('');
      expect((await cli(['help', name])).stdout).toBe(help.stdout);
    }
  });

  test('misuse is exit code 2, on stderr, with the nearest name', async () => {
    const cases: [args: string[], message: string][] = [
      [[], 'Usage: gteway'],
      [['embde'], "gteway: unknown command 'embde'\n(Did you mean embed?)"],
      [['embed', '--modle', 'x', 'a'], "gteway: unknown option '--modle'\n(Did you mean --model?)"],
      [['embed', '--device', 'gpu', 'a'], 'Allowed choices are auto, cpu, cuda'],
      [['embed', '--model', '', 'a'], 'It must not be empty'],
      [['rerank'], "gteway: missing required argument 'query'"],
      [['rerank', 'q', 'a.txt', '--file', 'b.txt'], 'a file is given twice'],
      [['pull'], "gteway: missing required argument 'model'"],
      [['doctor', 'x'], 'too many arguments'],
      [['similarity', '--model', 'fixture', 'one'], 'similarity needs two texts at least; there is one'],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await runCli(args);
      expect([args, code, stdout]).toEqual([args, 2, '']);
      expect(stderr).toContain(message);
    }
  });

  test('stacks are shown for DEBUG=gteway only', async () => {
    const args = ['embed', 'a', '--model', './nowhere'];
    const plain = await runCli(args);
    expect([plain.code, plain.stderr]).toEqual([1, expect.stringMatching(/^gteway: .*\[ERR_MODEL_NOT_FOUND\]\n$/)]);
    const { stderr } = await runCli(args, { env: { DEBUG: 'gteway' } });
    expect(stderr).toMatch(/\n {4}at /);
  });
});

describe('the model in the package stands in', () => {
  test('for the model that nobody named, loudly, when the hub cannot be reached or is not to be asked', async () => {
    for (const args of [
      ['embed', 'a'],
      ['embed', 'a', '--offline'],
      ['tokenize', 'a'],
      ['similarity', 'a', 'b'],
    ]) {
      const { stdout, stderr } = await cli(args);
      expect(stdout).not.toBe('');
      expect(stderr).toMatch(/^gteway: WARNING: gte-small could not be fetched: /);
      expect(stderr).toContain(`WARNING: gteway-mini stands in for it: ${bundledNotice}`);
    }
  });

  test('without a word, when it is named; the fixture says what it is', async () => {
    const { stderr } = await cli(['embed', 'a', '--model', 'gteway-mini', '--offline']);
    expect(stderr).toBe('');
    const fixture = await cli(['embed', 'a', '--model', 'fixture', '--offline']);
    expect(fixture.stderr).toContain('untrained weights, real pipeline');
    expect(fixture.stderr).not.toContain('WARNING');
  });

  test('for no model that was named', async () => {
    for (const model of ['gte-small', 'gte-base', 'owner/name']) {
      const { code, stdout, stderr } = await runCli(['embed', 'a', '--model', model]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('[ERR_HUB_UNREACHABLE]');
      expect(stderr).toContain('hint: --model gteway-mini');
    }
    const offline = await runCli(['embed', 'a', '--model', 'gte-small', '--offline']);
    expect([offline.code, offline.stderr]).toEqual([1, expect.stringContaining('[ERR_OFFLINE]')]);
    const llm = await runCli(['embed', 'a', '--model', 'gte-smal']);
    expect([llm.code, llm.stderr]).toEqual([1, expect.stringContaining("did you mean 'gte-small'?")]);
  });
});

describe('similarity', () => {
  const texts = ['a small dog', 'a little puppy', 'the stock market'];

  test('two texts give one number, more a matrix, in every format', async () => {
    await using session = await Session.load(inject('fixture'));
    const expected = Array.from(similarityMatrix(await session.embed(texts)).data);
    const similarity = ['similarity', '--model', 'fixture'];
    const close = (values: number[], wanted: number[]): void => {
      expect(values).toHaveLength(wanted.length);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(wanted[i] ?? NaN, 5);
    };
    const [a = '', b = ''] = texts;
    expect((await cli([...similarity, a, b])).stdout).toBe(`${(expected[1] ?? NaN).toFixed(4)}\n`);
    close([Number((await cli([...similarity, a, b, '--format', 'json'])).stdout)], [expected[1] ?? NaN]);
    const json = JSON.parse((await cli([...similarity, ...texts, '--format', 'json'])).stdout) as number[][];
    close(json.flat(), expected);
    const csv = (await cli([...similarity, '--format', 'csv'], { input: `${texts.join('\n')}\n` })).stdout;
    close(csv.trimEnd().split(/[,\n]/).map(Number), expected);
    const [header, ...rows] = (await cli([...similarity, ...texts])).stdout.trimEnd().split('\n');
    expect(header?.trim().split(/\s+/)).toEqual(['1', '2', '3']);
    expect(rows.map((row) => row.trim().split(/\s+/)[0])).toEqual(['1', '2', '3']);
    expect(rows.flatMap((row) => row.trim().split(/\s+/).slice(1))).toEqual(expected.map((value) => value.toFixed(4)));
  });
});

describe('pull and info', () => {
  const fixtureFiles = (): Record<string, Buffer> => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx/model.onnx', 'onnx/model_fp16.onnx'];
    return Object.fromEntries(names.map((name) => [name, readFileSync(join(inject('fixture'), name))]));
  };

  test('pull fetches what the dtype needs and says where it is; then everything works without the hub', async () => {
    const hub = await startHub();
    const commit = hub.publish('owner/small', fixtureFiles());
    const cache = temporaryDirectory();
    const online = { env: { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cache } };
    const first = await cli(['pull', 'owner/small'], online);
    expect(first.stdout.trim()).toContain(commit);
    expect(readdirSync(join(first.stdout.trim(), 'onnx'))).toEqual(['model.onnx']);
    expect(first.stderr).toContain(`owner/small at ${commit.slice(0, 12)}: fetched`);
    // No bar where stderr is no terminal.
    expect(first.stderr).not.toMatch(/[\r\u001b]/);
    expect((await cli(['pull', 'owner/small'], online)).stderr).toContain('already up to date');
    expect(hub.downloads('onnx/model.onnx')).toHaveLength(1);

    const offline = { env: { HF_HUB_CACHE: cache } };
    const embedded = await cli(['embed', 'Hello', '--model', 'owner/small', '--offline'], offline);
    expect(JSON.parse(embedded.stdout)).toHaveLength(1);
    const report = JSON.parse((await cli(['info', 'owner/small', '--json'], offline)).stdout) as Record<
      string,
      unknown
    >;
    expect(report).toMatchObject({
      model: 'owner/small',
      dimensions: 96,
      maxTokens: 512,
      pooling: 'mean',
      local: { revision: commit, directory: first.stdout.trim() },
      runs: {
        engine: expect.stringMatching(/^(?:encoder|ort)$/) as string,
        modelFile: join(first.stdout.trim(), 'onnx/model.onnx'),
      },
    });

    await cli(['pull', 'owner/small', '--dtype', 'fp16'], online);
    expect(readdirSync(join(first.stdout.trim(), 'onnx'))).toEqual(['model.onnx', 'model_fp16.onnx']);
  });

  test('pull tells what the hub said', async () => {
    const hub = await startHub();
    const { code, stderr } = await runCli(['pull', 'owner/none'], {
      env: { HF_ENDPOINT: hub.url, HF_HUB_CACHE: temporaryDirectory() },
    });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^gteway: .*owner\/none.*\[ERR_[A-Z_]+\]$/m)]);
    const directory = await runCli(['pull', './model']);
    expect([directory.code, directory.stderr]).toEqual([2, expect.stringContaining('is a directory')]);
  });

  test('info of a model that is not here tells what is known; of an unknown one, why there is nothing', async () => {
    const env = { HF_HUB_CACHE: temporaryDirectory() };
    const { stdout } = await cli(['info', 'e5-small-v2'], { env });
    expect(stdout).toMatch(/^dimensions +384$/m);
    expect(stdout).toMatch(/^query prefix +'query: '$/m);
    expect(stdout).toMatch(/^here +no; gteway pull e5-small-v2 fetches it$/m);
    const unknown = await runCli(['info', 'owner/none'], { env });
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('[ERR_OFFLINE]')]);
    const list = JSON.parse((await cli(['info', '--list', '--json'])).stdout) as { name: string }[];
    expect(list.map(({ name }) => name)).toEqual([...knownModels, ...knownRerankers].map(({ name }) => name));
    const lines = (await cli(['info', '--list'])).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(knownModels.length + knownRerankers.length + 2);
    expect(lines.find((line) => line.startsWith('bge-reranker-base '))).toMatch(
      /reranker +512 +BAAI\/bge-reranker-base/,
    );
  });

  test('info of the fixture loads it and says what runs', async () => {
    const { stdout } = await cli(['info', 'fixture']);
    expect(stdout).toMatch(/^runs +(?:encoder|ort) on (?:cpu|cuda:0), (?:bf16|fp32), \w+ kernels, \d+ threads$/m);
    expect(stdout).toMatch(/ MB {2}onnx\/model\.onnx$/m);
    expect((await cli(['info', 'fixture', '--no-load'])).stdout).not.toMatch(/^runs/m);
  });
});

describe('doctor', () => {
  test('tells what was found and embeds a text with the model in the package', async () => {
    const { stdout } = await cli(['doctor', '--json'], {
      env: { HF_TOKEN: 'hf_secret', HTTPS_PROXY: 'http://me:pw@proxy:1' },
    });
    expect(stdout).not.toMatch(/hf_secret|pw@/);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    expect(found).toMatchObject({
      gteway: version,
      node: process.version,
      addon: { version, path: expect.stringMatching(/gteway.*\.node$/) as string },
      cpu: { brand: expect.any(String) as string, isas: expect.arrayContaining(['scalar']) as string[] },
      onnxRuntime: {
        version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
        providers: expect.arrayContaining(['CPUExecutionProvider']) as string[],
      },
      cache: { directory: fixtureCache(), writable: true },
      hub: { endpoint: deadHub, reachable: false },
      environment: { HF_TOKEN: '(set)', HTTPS_PROXY: 'http://(credentials)@proxy:1' },
      encoder: { fp32: binding().encoderUnavailable('fp32'), bf16: binding().encoderUnavailable('bf16') },
      embedding: { dimensions: 224, engine: expect.stringMatching(/^(?:encoder|ort)$/) as string },
    });
    const { noCuda } = (found as { onnxRuntime: { noCuda: string | null } }).onnxRuntime;
    if (noCuda !== null) expect(noCuda).toMatch(/^device cuda:0 cannot be used with ONNX Runtime: /);
  });

  test('for people: each part under its title', async () => {
    const { stdout } = await cli(['doctor', '--offline']);
    for (const title of ['gteway', 'processor', 'ONNX Runtime', 'models', 'environment', 'embedding']) {
      expect(stdout).toMatch(new RegExp(`^${title}$`, 'm'));
    }
    expect(stdout).toMatch(/^ {2}threads +\d+: \d+ CPUs in the affinity mask, (?:no cgroup quota|a cgroup quota of)/m);
    expect(stdout).toMatch(/^ {2}works +yes: 224 dimensions/m);
    expect(stdout).toContain('gteway-mini, the model in the package');
  });

  test('a hub that answers is reachable', async () => {
    const hub = await startHub();
    const { stdout } = await cli(['doctor', '--json'], { env: { HF_ENDPOINT: hub.url } });
    expect(JSON.parse(stdout)).toMatchObject({ hub: { endpoint: hub.url, reachable: true } });
  });

  test('exits with 1 where nothing can be embedded, and still tells the rest', async () => {
    // Scalar machines use ONNX Runtime where it is found, and the encoder where it is not.
    const scalar = { GTEWAY_FORCE_ISA: 'scalar' };
    const missing = await runCli(['doctor', '--offline'], {
      env: { ...scalar, GTEWAY_ORT_LIBRARY: '/nowhere/libonnxruntime.so' },
    });
    expect(missing.code).toBe(0);
    expect(missing.stdout).toMatch(/^ {2}PROBLEM +GTEWAY_ORT_LIBRARY names .*ERR_RUNTIME_UNAVAILABLE/m);
    expect(missing.stdout).toMatch(/^ {2}works +yes: .* from encoder on cpu/m);
    const notALibrary = join(temporaryDirectory(), 'libonnxruntime.so');
    writeFileSync(notALibrary, 'not a library');
    const broken = await runCli(['doctor', '--offline'], { env: { ...scalar, GTEWAY_ORT_LIBRARY: notALibrary } });
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(/^ {2}PROBLEM .*ERR_RUNTIME_UNAVAILABLE/m);
    expect(broken.stdout).toMatch(/^ {2}threads /m);
    const forced = await runCli(['doctor', '--offline', '--json'], { env: { GTEWAY_FORCE_ISA: 'mmx' } });
    expect(forced.code).toBe(1);
    expect(JSON.parse(forced.stdout)).toMatchObject({ cpu: { problem: expect.stringContaining('mmx') as string } });
  });
});

describe('demo', () => {
  test('answers its questions, and rightly, and tells what ran', async () => {
    const { stdout, stderr } = await cli(['demo']);
    for (const answer of [
      /^a young dog\n {2}\S+ {2}A small dog runs/m,
      /^how to bake bread\n {2}\S+ {2}Knead the dough/m,
      /^money and interest rates\n {2}\S+ {2}The bank raised/m,
      /^a planet and its moons\n {2}\S+ {2}Two moons circle/m,
    ]) {
      expect(stdout).toMatch(answer);
    }
    expect(stderr).toContain('WARNING: gteway-mini stands in');
    expect(stdout.match(/^ {2}-?\d\.\d{4} {2}/gm)).toHaveLength(12);
    expect(stdout).toMatch(/^model +gteway-mini, 224 dimensions, up to 512 tokens, mean pooling$/m);
    expect(stdout).toMatch(/^vector .*\(length 1\.0000\d\d\)$/m);
    expect(stdout).toMatch(/^speed +[\d,]+ texts\/s, [\d,]+ tokens\/s$/m);
  });
});

describe('a terminal', () => {
  const hasScript = spawnSync('script', ['--version']).status === 0;

  test('has a progress bar on stderr; a pipe has none', async (context) => {
    if (!hasScript || process.platform !== 'linux') context.skip('needs script(1) of util-linux');
    const directory = temporaryDirectory();
    const file = join(directory, 'texts.txt');
    writeFileSync(file, 'the quick brown fox jumps over the lazy dog\n'.repeat(8000));
    const args = ['embed', '--model', 'fixture', '-f', file, '-o', join(directory, 'out.npy')];
    const command = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...cliEnvironment(), TERM: 'xterm' } });
    let screen = '';
    child.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(screen).toMatch(/embedding \[.*\] \d+% [\d,]+ texts/);
    expect((await cli(args)).stderr).not.toMatch(/[\r\u001b]|embedding/);
  });
});
