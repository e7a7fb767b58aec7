/** What the figures were measured on. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export function machine() {
  return {
    date: new Date().toISOString(),
    platform: `${process.platform}-${process.arch}`,
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    load: loadavg(),
    instructionSets: instructionSets(),
    governor: readOrUndefined('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')?.trim(),
  };
}

/** Those that decide how fast an encoder can be, as Linux names them. */
function instructionSets() {
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(readOrUndefined('/proc/cpuinfo') ?? '')?.[1].split(' '));
  return ['avx2', 'fma', 'avx_vnni', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'amx_int8'].filter((flag) =>
    flags.has(flag),
  );
}

/** @param {string} path */
function readOrUndefined(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
