/** `gteway info`: what is known about a model, what of it is on this machine, and what would run. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { isGtewayError } from '../../errors.js';
import { directoryFiles } from '../../models/cache.js';
import { bundledModel } from '../../models/bundled.js';
import { classifyModel } from '../../models/classify.js';
import { readDefaultPrompt } from '../../models/prompts.js';
import { knownModels } from '../../models/registry.js';
import { knownRerankers } from '../../models/rerankers.js';
import { resolveForEngines } from '../../engines/engine-loading.js';
import type { ResolvedModel } from '../../models/resolve.js';
import { Session } from '../../session.js';
import type { EngineName } from '../../engines/session-options.js';
import type { SessionInfo } from '../../engines/session-info.js';
import {
  cacheDirOption,
  defaultModel,
  type DtypeName,
  dtypeOption,
  engineOption,
  fixtureDirectory,
  fixtureName,
  modelFileOption,
} from '../model-options.js';
import { openOutput } from '../output.js';
import { megabytes } from '../progress.js';
import { type Fact, factLines } from '../table.js';

interface InfoFlags {
  engine?: EngineName;
  dtype?: DtypeName;
  modelFile?: string;
  cacheDir?: string;
  load: boolean;
  list?: true;
  json?: true;
}

interface ModelReport {
  model: string;
  repository: string | null;
  dimensions: number | null;
  maxTokens: number | null;
  trainedTokens: number | null;
  pooling: string | null;
  queryPrefix: string | null;
  passagePrefix: string | null;
  /** The prompts of its own file, by name, and which of them it calls its default. */
  prompts: Readonly<Record<string, string>>;
  defaultPrompt: string | null;
  /** Null: not on this machine. */
  local: { directory: string; revision: string | null; files: { name: string; bytes: number }[] } | null;
  /** Null: not loaded. */
  runs: SessionInfo | null;
}

export function infoCommand(): Command {
  return new Command('info')
    .summary('what is known about a model')
    .description(
      'What is known about a model, which of its files are on this machine, and, loading it, what runs. Fetches nothing.',
    )
    .argument('[model]', `a known name, a hub repository, a directory, or '${fixtureName}'`, defaultModel)
    .option('--list', 'the known names instead')
    .option('--no-load', 'do not load it')
    .addOption(engineOption())
    .addOption(dtypeOption())
    .addOption(modelFileOption())
    .addOption(cacheDirOption())
    .addOption(new Option('--json', 'for programs'))
    .action(async (model: string, flags: InfoFlags) => info(model, flags));
}

async function info(model: string, flags: InfoFlags): Promise<void> {
  const output = await openOutput(undefined);
  if (flags.list) {
    const all = [...knownModels, ...knownRerankers.map((reranker) => ({ ...reranker, reranks: true }))];
    await output.write(flags.json ? `${JSON.stringify(all, null, 2)}\n` : knownTable());
    return;
  }
  const report = await reportOn(model, flags);
  await output.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : written(report));
}

function knownTable(): string {
  return factLines([
    ['name', 'dimensions  tokens  pooling  repository'],
    [bundledModel, 'in the package'],
    ...knownModels.map(({ name, dimensions, maxTokens, pooling, repository }): Fact => [
      name,
      `${String(dimensions).padEnd(10)}  ${String(maxTokens).padEnd(6)}  ${pooling.padEnd(7)}  ${repository}`,
    ]),
    ...knownRerankers.map(({ name, maxTokens, repository }): Fact => [
      name,
      `${'reranker'.padEnd(10)}  ${String(maxTokens).padEnd(6)}  ${''.padEnd(7)}  ${repository}`,
    ]),
  ]);
}

async function reportOn(name: string, flags: InfoFlags): Promise<ModelReport> {
  const model = name === fixtureName ? await fixtureDirectory(flags.cacheDir) : name;
  const reference = classifyModel(model);
  const facts = reference.kind === 'known' || reference.kind === 'hub' ? reference.facts : undefined;
  const { resolved, problem } = await onThisMachine(model, flags);
  // Without a list entry or files there is nothing to tell but why.
  if (resolved === undefined && facts === undefined) throw problem;
  return {
    model: name,
    repository: 'repository' in reference ? reference.repository : null,
    dimensions: resolved?.config.hiddenSize ?? facts?.dimensions ?? null,
    maxTokens: resolved?.config.maxTokens ?? facts?.maxTokens ?? null,
    trainedTokens: facts?.trainedTokens ?? null,
    pooling: resolved?.pooling ?? facts?.pooling ?? null,
    queryPrefix: facts?.queryPrefix ?? null,
    passagePrefix: facts?.passagePrefix ?? null,
    prompts: resolved !== undefined && facts === undefined ? resolved.prompts : {},
    defaultPrompt: resolved === undefined ? null : ((await readDefaultPrompt(resolved.directory)) ?? null),
    local: resolved === undefined ? null : await localFiles(resolved),
    runs: resolved === undefined || !flags.load ? null : await loaded(model, flags),
  };
}

async function onThisMachine(
  model: string,
  { engine, dtype, modelFile, cacheDir }: InfoFlags,
): Promise<{ resolved?: ResolvedModel; problem?: unknown }> {
  try {
    return {
      resolved: await resolveForEngines(model, {
        offline: true,
        ...(engine === undefined ? {} : { engine }),
        ...(dtype === undefined ? {} : { dtype }),
        ...(modelFile === undefined ? {} : { modelFile }),
        ...(cacheDir === undefined ? {} : { cacheDir }),
      }),
    };
  } catch (problem) {
    if (!isGtewayError(problem, 'ERR_OFFLINE')) throw problem;
    return { problem };
  }
}

async function localFiles({ directory, revision }: ResolvedModel): Promise<ModelReport['local']> {
  const files = await Promise.all(
    directoryFiles(directory)
      .list()
      .map(async (name) => ({ name, bytes: (await stat(join(directory, name))).size })),
  );
  return { directory, revision: revision ?? null, files };
}

async function loaded(model: string, { engine, dtype, modelFile, cacheDir }: InfoFlags): Promise<SessionInfo> {
  const session = await Session.load<string>(model, {
    offline: true,
    ...(engine === undefined ? {} : { engine }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(modelFile === undefined ? {} : { modelFile }),
    ...(cacheDir === undefined ? {} : { cacheDir }),
  });
  try {
    return session.info;
  } finally {
    await session.close();
  }
}

function written(report: ModelReport): string {
  const { local, runs } = report;
  const facts: Fact[] = [['model', report.model]];
  const add = (name: string, value: string | number | null): void => {
    if (value !== null) facts.push([name, String(value)]);
  };
  add('repository', report.repository);
  add('dimensions', report.dimensions);
  add('tokens', report.maxTokens);
  add('trained on', report.trainedTokens === null ? null : `texts of up to ${report.trainedTokens} tokens`);
  add('pooling', report.pooling);
  add('query prefix', report.queryPrefix === null ? null : `'${report.queryPrefix}'`);
  add('text prefix', report.passagePrefix === null ? null : `'${report.passagePrefix}'`);
  for (const [prompt, text] of Object.entries(report.prompts)) add(`prompt ${prompt}`, `'${text}'`);
  add(
    'default prompt',
    report.defaultPrompt === null ? null : `${report.defaultPrompt}; used only where it is asked for`,
  );
  if (local === null) {
    add('here', `no; gteway pull ${report.model} fetches it`);
    return factLines(facts);
  }
  add('here', local.directory);
  add('commit', local.revision);
  for (const { name, bytes } of local.files) facts.push(['', `${megabytes(bytes).padStart(10)}  ${name}`]);
  if (runs !== null) {
    add('runs', `${runs.engine} on ${runs.device}, ${runs.dtype}, ${runs.isa} kernels, ${runs.threads} threads`);
    for (const { wanted, reason } of runs.fallbacks) add(`not ${wanted}`, reason);
  }
  return factLines(facts);
}
