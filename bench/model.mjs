/**
 * The model that every driver runs: as large as gte-small, with pseudo-random weights, since speed does not depend on
 * them. Made once, in bench/.cache.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, '.cache');
/** Data shared by the project's checkouts, beside the repository; absent from most. */
const shared = join(here, '..', '..', 'shared');

/**
 * @typedef {{ directory: string, about: string, corpus?: string, golden?: string }} BenchModel
 * `corpus`: a directory of texts. `golden`: float64 vectors of this very model.
 */

/**
 * @param {string | undefined} directory a model directory to use instead
 * @returns {Promise<BenchModel>}
 */
export async function benchModel(directory) {
  const tool = join(shared, 'tools', 'make-gte-fixture.mjs');
  const corpus = existsSync(join(shared, 'corpus')) ? join(shared, 'corpus') : undefined;
  const goldenPath = join(shared, 'golden', 'gte_small_fixture_embeddings.jsonl');
  if (directory !== undefined)
    return { directory: resolve(directory), about: 'given with --model', ...(corpus && { corpus }) };
  if (existsSync(tool)) {
    return {
      directory: gteFixture(tool),
      about: "gte-small's shape and exported graphs, pseudo-random weights",
      ...(corpus && { corpus }),
      ...(existsSync(goldenPath) && { golden: goldenPath }),
    };
  }
  const standIn = join(cache, 'gte-small-shaped');
  const { writeFixtureModel } = await fromDist('models/fixture/fixture-model.js');
  const { gteSmallShape } = await fromDist('models/fixture/shape.js');
  await writeFixtureModel(standIn, gteSmallShape);
  return { directory: standIn, about: "gte-small's shape, gteway's own graph, pseudo-random weights" };
}

/** @param {string} tool */
function gteFixture(tool) {
  const target = join(cache, 'gte-fixture');
  if (existsSync(target)) return target;
  console.error('making the model (once, about 15 s) …');
  mkdirSync(cache, { recursive: true });
  const draft = `${target}.${process.pid}.tmp`;
  try {
    const files = ['onnx/model.onnx', 'onnx/model_quantized.onnx', 'onnx/model_fp16.onnx', 'model.safetensors'];
    const { status, stderr } = spawnSync(process.execPath, [tool, draft, ...files], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${tool} failed with status ${status}:\n${stderr}`);
    renameSync(draft, target);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return target;
}

/**
 * A module of the library that is no part of its interface.
 *
 * @param {string} path
 */
export async function fromDist(path) {
  const file = join(here, '..', 'dist', path);
  if (!existsSync(file)) throw new Error(`${file} is missing: build the library first (npm run build)`);
  return import(new URL(`../dist/${path}`, import.meta.url).href);
}
