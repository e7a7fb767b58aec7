/**
 * Measures how long close() and worker.terminate() take while a model as large as BERT-large (24 layers, hidden 1,024; 1.3 GB
 * of fp32 weights) is being loaded, at moments spread over the load.
 *
 *   node scripts/stop-large-load.mjs [--times 20] [--keep directory]
 *
 * Needs dist/ and the addon (npm run build:all), 3 GB of disk and 6 GB of memory. --keep: where the model is written, and
 * left for the next time; otherwise a temporary directory. Prints milliseconds: median, 90th percentile, longest.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile, access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bertModel } from '../dist/models/fixture/bert-graph.js';
import { fixtureModel } from '../dist/models/fixture/fixture-model.js';
import { fixtureParameters } from '../dist/models/fixture/parameters.js';
import { safetensors } from '../dist/models/fixture/safetensors.js';
import { readFile } from 'node:fs/promises';

const child = fileURLToPath(new URL('../tests/robustness/children/ended-while-loading.mjs', import.meta.url));
const large = { layers: 24, hidden: 1024, heads: 16, intermediate: 4096, positions: 512, vocabularySize: 30522 };

/** The fixture model's files, but for larger weights. */
async function writeLargeModel(directory) {
  try {
    await access(join(directory, 'onnx', 'model.onnx'));
    return;
  } catch {
    // Not there yet.
  }
  const small = await fixtureModel(join(directory, 'small'));
  await mkdir(join(directory, 'onnx'), { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.txt'])
    await writeFile(join(directory, name), await readFile(join(small, name)));
  const config = JSON.parse(await readFile(join(small, 'config.json'), 'utf8'));
  Object.assign(config, {
    hidden_size: large.hidden,
    num_hidden_layers: large.layers,
    num_attention_heads: large.heads,
    intermediate_size: large.intermediate,
    vocab_size: large.vocabularySize,
  });
  await writeFile(join(directory, 'config.json'), JSON.stringify(config));
  const parameters = fixtureParameters(large);
  await writeFile(join(directory, 'model.safetensors'), safetensors(parameters.values(), { format: 'pt' }));
  await writeFile(join(directory, 'onnx', 'model.onnx'), bertModel(large, parameters, 'fp32'));
}

const run = (settings) =>
  execFileSync(process.execPath, [child, JSON.stringify(settings)], { encoding: 'utf8', timeout: 600_000 });

const { values } = parseArgs({ options: { times: { type: 'string', default: '20' }, keep: { type: 'string' } } });
const times = Number(values.times);
const directory = values.keep === undefined ? await mkdtemp(join(tmpdir(), 'gteway-large-')) : resolve(values.keep);
try {
  await writeLargeModel(directory);
  for (const engine of ['encoder', 'ort']) {
    const each = { model: directory, engine, sessions: 1 };
    const duration = Number(run({ ...each, how: 'ready' }));
    const delays = Array.from({ length: times }, (_, i) => (duration * (i + 0.5)) / times);
    for (const how of ['close', 'terminate']) {
      // Each in a process of its own: what an earlier load left for the system to take back is not what is measured.
      const took = delays.flatMap((delay) => JSON.parse(run({ ...each, how, delays: [delay] }))).sort((a, b) => a - b);
      const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))].toFixed(0);
      const name = how === 'close' ? 'close()' : 'worker.terminate()';
      console.log(
        `${engine}, a load of ${duration.toFixed(0)} ms: ${name} of ${took.length} took ${at(0.5)} ms, 90 %: ${at(0.9)}, longest: ${at(1)}`,
      );
    }
  }
} finally {
  if (values.keep === undefined) await rm(directory, { recursive: true });
}
