/**
 * What must hold wherever the addon runs, through whatever is built and installed there: ids, vectors, ends of processes
 * and workers, paths, the cache. Here with this machine's own addon; scripts/try-platform.sh runs it with the prebuilt
 * ones in Node.js of Linux on Arm, of Windows, and in a host with musl.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test, type TestContext } from 'vitest';
import { Session } from '../../lib/index.js';
import { addonIsMissing, root } from '../built-library.js';
import { cosine } from '../fixtures/vectors.js';
import { hostName, hostPath, probe, runOnHost } from './platform.js';

const fixture = inject('fixture');
const gte = inject('gte');
const shared = inject('shared');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const isForeign = process.env.GTEWAY_HOST !== undefined;
const main = join(root, 'dist', 'cli', 'main.js');
const children = join(root, 'tests', 'robustness', 'children');
// Emulators take a hundred times as long.
const patience = 600_000;

function temporaryFolder(name: string): string {
  const parent = mkdtempSync(join(tmpdir(), 'gteway-platform-'));
  onTestFinished(() => {
    rmSync(parent, { recursive: true, force: true });
  });
  const folder = join(parent, name);
  mkdirSync(folder);
  return folder;
}

function needsSharedData(context: TestContext): { model: string; golden: (file: string) => string } {
  if (gte === null || shared === null) return context.skip('the shared data (../shared) is not beside this checkout');
  return { model: gte, golden: (file) => hostPath(join(shared, 'golden', file)) };
}

const missing = process.env.PREBUILDS_ONLY === undefined ? addonIsMissing() : undefined;

describe.skipIf(missing !== undefined)(hostName, () => {
  test('the addon is found and loads', { timeout: patience }, async () => {
    const found = await probe<{ version: string; addon: string; platform: string; arch: string }>('load');
    if (isForeign) console.log(found);
    expect(found.version).toBe(manifest.version);
    if (isForeign) expect(found.addon.replaceAll('\\', '/')).toContain(`prebuilds/${found.platform}-${found.arch}/`);
  });

  test('texts have the ids of Hugging Face tokenizers', { timeout: patience }, async (context) => {
    const { model, golden } = needsSharedData(context);
    const found = await probe('tokens', [hostPath(model), golden('gte_small_encodings.jsonl')]);
    expect(found).toEqual({ texts: 3039, wrong: 0 });
  });

  test.for([
    ['fp32', 0.999999],
    ['bf16', 0.9999],
    ['int8', 0.99],
  ] as const)('%s vectors agree with the golden ones', { timeout: patience }, async ([dtype, least], context) => {
    const { model, golden } = needsSharedData(context);
    const file = golden('gte_small_fixture_embeddings.jsonl');
    const found = await probe<{ isa: string; texts: number; worst: number }>('vectors', [
      ...[hostPath(model), file, '8', dtype],
    ]);
    if (isForeign) console.log(dtype, found);
    expect(found.texts).toBe(8);
    expect(found.worst).toBeGreaterThanOrEqual(least);
  });

  test('the model of the package gives the vectors that it gives here', { timeout: patience }, async () => {
    const texts = ['Knead the dough until it is smooth.', 'déjà vu 世界 🦙', 'a'];
    const vectors = await probe<number[][]>('embed', ['gteway-mini', ...texts]);
    await using session = await Session.load('gteway-mini');
    const here = await session.embed(texts);
    vectors.forEach((vector, i) => expect(cosine(vector, here.at(i))).toBeGreaterThan(0.9999));
  });

  test.for([
    ['exit-busy', 7],
    ['exit-at-once', 7],
    ['while-loading', 7],
    ['throw-busy', 1],
    ['idle-open', 0],
    ['pending-keeps-alive', 0],
  ] as const)('a process that ends, %s, has its own status', { timeout: patience }, async ([how, code]) => {
    const outcome = await runOnHost(join(children, 'exit.mjs'), [hostPath(fixture), how]);
    expect(outcome, outcome.output).toMatchObject({ code, signal: null });
  });

  test.for(['close', 'terminate-busy', 'exit-busy'])('workers: %s', { timeout: patience }, async (how) => {
    const outcome = await runOnHost(join(children, 'worker.mjs'), [hostPath(fixture), how]);
    expect(outcome.code, outcome.output).toBe(0);
    expect(JSON.parse(outcome.output.split('\n').at(-1) ?? '')).toMatchObject({ same: true });
  });

  test('the command line takes paths with blanks and letters of any script', { timeout: patience }, async () => {
    const folder = temporaryFolder('ein Ordner ö');
    writeFileSync(join(folder, 'the texts.txt'), 'first\nsecond\nthird\n');
    const output = join(folder, 'the vectors.jsonl');
    const args = ['embed', '--file', hostPath(join(folder, 'the texts.txt')), '--output', hostPath(output)];
    const { code, output: said } = await runOnHost(main, [...args, '--model', 'gteway-mini'], { cwd: folder });
    expect(code, said).toBe(0);
    expect(readFileSync(output, 'utf8').trim().split('\n')).toHaveLength(3);
  });

  test('the cache of the hub works, with symbolic links or without', { timeout: patience }, async () => {
    const folder = temporaryFolder('the cache');
    const args = [hostPath(folder), 'someone/model', hostPath(fixture), 'text'];
    const found = await probe<{ vector: number[]; symlinks: number; files: number }>('cache', args);
    if (isForeign) console.log(`${found.symlinks} of ${found.files} files are symbolic links`);
    await using session = await Session.load(fixture);
    expect(cosine(found.vector, await session.run('text'))).toBeGreaterThan(0.9999);
  });

  test('ONNX Runtime runs, or the error says why not', { timeout: patience }, async () => {
    const found = await probe<{ vector?: number[]; code?: string; message?: string }>('runtime', [hostPath(fixture)]);
    if (isForeign) console.log('ONNX Runtime:', found.message ?? 'runs');
    if (found.vector === undefined) {
      expect(isForeign).toBe(true);
      expect(found.code).toBe('ERR_RUNTIME_UNAVAILABLE');
      return;
    }
    await using session = await Session.load(fixture);
    expect(cosine(found.vector, await session.run('Hello world'))).toBeGreaterThan(0.9999);
  });
});
