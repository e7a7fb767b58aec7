/** `gteway doctor`: what was detected, and whether an embedding can be made here. */
import { Command, Option } from 'commander';
import { bundledModel } from '../../models/bundled.js';
import { diagnose, type Diagnosis, type Found, hasProblem } from '../diagnosis.js';
import { exitCodes } from '../failure.js';
import { cacheDirOption, offlineOption } from '../model-options.js';
import { openOutput } from '../output.js';
import { type Fact, factLines } from '../table.js';

interface DoctorFlags {
  cacheDir?: string;
  offline?: true;
  json?: true;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('what was found on this machine')
    .description(
      'What was found on this machine: the processor and the kernels chosen for it, threads, ONNX Runtime and its ' +
        'devices, the cache, the hub. Makes one embedding with the model in the package; ' +
        'exits with 0 if that works, with 1 if not.',
    )
    .addOption(new Option('--json', 'for programs'))
    .addOption(cacheDirOption())
    .addOption(offlineOption())
    .action(async (flags: DoctorFlags) => doctor(flags));
}

async function doctor({ cacheDir, offline, json }: DoctorFlags): Promise<void> {
  const diagnosis = await diagnose({ cacheDir, offline: offline ?? false });
  await (await openOutput(undefined)).write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : written(diagnosis));
  if (hasProblem(diagnosis.embedding)) process.exitCode = exitCodes.failure;
}

function written(found: Diagnosis): string {
  return sections([
    ['gteway', packageFacts(found)],
    ['processor', factsOr(found.cpu, cpuFacts)],
    ['encoder', factsOr(found.encoder, encoderFacts)],
    ['ONNX Runtime', factsOr(found.onnxRuntime, runtimeFacts)],
    ['CUDA encoder', cudaFacts(found)],
    ['models', modelFacts(found)],
    ['environment', environmentFacts(found)],
    ['embedding', factsOr(found.embedding, embeddingFacts)],
  ]);
}

function sections(all: readonly (readonly [title: string, facts: readonly Fact[]])[]): string {
  return all.map(([title, facts]) => `${title}\n${factLines(facts, '  ')}`).join('\n');
}

function factsOr<T extends object>(found: Found<T>, facts: (found: T) => Fact[]): Fact[] {
  return hasProblem(found) ? [['PROBLEM', found.problem]] : facts(found);
}

function packageFacts({ gteway, node, platform, addon }: Diagnosis): Fact[] {
  return [
    ['version', gteway],
    ['node', `${node}, ${platform}`],
    ...factsOr(addon, ({ path, version }): Fact[] => [
      ['addon', `${path}${version === gteway ? '' : ` (PROBLEM: compiled from gteway ${version})`}`],
    ]),
  ];
}

function cpuFacts(cpu: Exclude<Diagnosis['cpu'], { problem: string }>): Fact[] {
  const { brand, features, threads, usableCpus, cpuQuota, isa, isas, kernels } = cpu;
  const byIsa = new Map<string, string[]>();
  for (const [kernel, source] of Object.entries(kernels)) byIsa.set(source, [...(byIsa.get(source) ?? []), kernel]);
  const forced = process.env.GTEWAY_FORCE_ISA;
  return [
    ['name', brand],
    ['features', list(Object.keys(features).filter((name) => features[name]))],
    ['lacks', list(Object.keys(features).filter((name) => !features[name]))],
    [
      'kernels',
      `${isa}${forced === undefined || forced === '' ? ', the best' : ', forced by GTEWAY_FORCE_ISA,'} of ${isas.join(', ')}`,
    ],
    ...Array.from(byIsa, ([source, names]): Fact => [`  ${source}`, names.join(' ')]),
    [
      'threads',
      `${threads}: ${usableCpus} CPUs in the affinity mask, ` +
        (cpuQuota === null ? 'no cgroup quota' : `a cgroup quota of ${Number(cpuQuota.toFixed(2))}`),
    ],
  ];
}

function encoderFacts(encoder: Exclude<Diagnosis['encoder'], { problem: string }>): Fact[] {
  return Object.entries(encoder).map(([dtype, reason]): Fact => [dtype, reason === null ? 'yes' : `no: ${reason}`]);
}

function runtimeFacts({
  path,
  version,
  providers,
  noCuda,
}: Exclude<Diagnosis['onnxRuntime'], { problem: string }>): Fact[] {
  return [
    ['version', version],
    ['library', path],
    ['built with', list(providers)],
    ['cpu', 'yes'],
    ['cuda', noCuda === null ? 'yes, device 0' : `no: ${noCuda}`],
  ];
}

/** Not having it is no problem: few machines have a GPU, and nothing uses it unasked. */
function cudaFacts({ cuda }: Diagnosis): Fact[] {
  if (hasProblem(cuda)) return [['', `no: ${cuda.problem}`]];
  return [
    ['library', cuda.path],
    ...cuda.devices.map(({ name, computeCapability, driver, runtime, memory, freeMemory }, i): Fact => [
      `cuda:${i}`,
      `${name}, compute capability ${computeCapability}, ${(freeMemory / 2 ** 30).toFixed(1)} of ` +
        `${(memory / 2 ** 30).toFixed(1)} GiB free, driver for CUDA ${driver}, runtime ${runtime}`,
    ]),
    ['used', "only with engine 'encoder' and device 'cuda': it was never run on a GPU"],
  ];
}

function modelFacts({ cache, hub }: Diagnosis): Fact[] {
  return [
    ...factsOr(cache, ({ directory, freeBytes, writable }): Fact[] => [
      ['cache', `${directory}${writable ? '' : ' (cannot be written)'}`],
      ['free', `${(freeBytes / 1e9).toFixed(1)} GB`],
    ]),
    [
      'hub',
      hub.reachable ? `${hub.endpoint}: reachable` : `${hub.endpoint} not reachable: ${hub.reason ?? '?'}`.trim(),
    ],
  ];
}

function environmentFacts({ environment }: Diagnosis): Fact[] {
  const facts = Object.entries(environment);
  return facts.length === 0 ? [['', 'none of the variables gteway reads is set']] : facts;
}

function embeddingFacts(info: Exclude<Diagnosis['embedding'], { problem: string }>): Fact[] {
  return [
    ['works', `yes: ${info.dimensions} dimensions from ${info.engine} on ${info.device}, ${info.dtype}, ${info.isa}`],
    ...info.fallbacks.map(({ wanted, reason }): Fact => [`not ${wanted}`, reason]),
    ['with', `${bundledModel}, the model in the package`],
  ];
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(' ');
}
