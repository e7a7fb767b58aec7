/** `gteway pull`: brings a model into the cache, so that later runs need no network. */
import { Command, Option } from 'commander';
import { bundledModel } from '../../models/bundled.js';
import { classifyModel } from '../../models/classify.js';
import { resolveForEngines } from '../../engines/engine-loading.js';
import { nonEmpty } from '../arguments.js';
import { note, UsageError } from '../failure.js';
import type { EngineName } from '../../engines/session-options.js';
import {
  cacheDirOption,
  type DtypeName,
  dtypeOption,
  engineOption,
  fixtureDirectory,
  fixtureName,
  modelFileOption,
} from '../model-options.js';
import { openOutput } from '../output.js';
import { downloadProgress } from '../progress.js';

interface PullFlags {
  engine?: EngineName;
  dtype?: DtypeName;
  modelFile?: string;
  revision?: string;
  cacheDir?: string;
}

export function pullCommand(): Command {
  return new Command('pull')
    .summary('fetch a model into the cache')
    .description(
      'Fetch what a session here would load into the Hugging Face cache, or bring it up to date, and write the directory. ' +
        'Every file is checked against its size and hash; what was interrupted is resumed.',
    )
    .argument('<model>', `a known name, a hub repository (owner/name[@revision]), or '${fixtureName}'`)
    .addOption(engineOption())
    .addOption(dtypeOption())
    .addOption(modelFileOption())
    .addOption(new Option('--revision <name>', 'a branch, tag or commit (default: main)').argParser(nonEmpty))
    .addOption(cacheDirOption())
    .action(async (model: string, flags: PullFlags) => pull(model, flags));
}

async function pull(model: string, flags: PullFlags): Promise<void> {
  const directory = model === fixtureName ? await fixtureDirectory(flags.cacheDir) : await fetched(model, flags);
  await (await openOutput(undefined)).write(`${directory}\n`);
}

async function fetched(model: string, { engine, dtype, modelFile, revision, cacheDir }: PullFlags): Promise<string> {
  const reference = classifyModel(model);
  if (reference.name === bundledModel)
    throw new UsageError(`${bundledModel} is in the package: nothing is fetched for it`);
  if (reference.kind === 'directory') {
    throw new UsageError(`'${model}' is a directory; pull is for known names and hub repositories (owner/name)`);
  }
  const bar = downloadProgress();
  try {
    const resolved = await resolveForEngines(model, {
      refresh: true,
      onProgress: bar.onProgress,
      ...(engine === undefined ? {} : { engine }),
      ...(dtype === undefined ? {} : { dtype }),
      ...(modelFile === undefined ? {} : { modelFile }),
      ...(revision === undefined ? {} : { revision }),
      ...(cacheDir === undefined ? {} : { cacheDir }),
    });
    bar.stop();
    const state = resolved.source === 'hub' ? 'fetched' : 'already up to date';
    note(`${resolved.repository ?? model} at ${resolved.revision?.slice(0, 12) ?? '?'}: ${state}`);
    return resolved.directory;
  } finally {
    bar.stop();
  }
}
