/**
 * The host that tests/runtimes/platform.test.ts runs the library in: this Node.js and the addon built here, or what
 * scripts/try-platform.sh sets up — a prebuilt addon in another platform's Node.js, under an emulator.
 *
 * GTEWAY_HOST is the command that runs a script, its words separated by line ends, and GTEWAY_HOST_NAME what it is;
 * GTEWAY_HOST_PATHS=windows: it takes paths as Wine shows this machine's files.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const command = process.env.GTEWAY_HOST?.split('\n') ?? [process.execPath];
export const hostName = process.env.GTEWAY_HOST_NAME ?? 'this machine';
const isWindows = process.env.GTEWAY_HOST_PATHS === 'windows';

export interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** A path as the host's scripts take it. */
export function hostPath(path: string): string {
  return isWindows ? `Z:${path.replaceAll('/', '\\')}` : path;
}

/**
 * Runs a script with arguments, standard output and error together. They go to a file and the input is empty: under Wine,
 * node.exe can use neither pipe. Ended after `limit` seconds, which shows as a signal.
 */
export function runOnHost(
  script: string,
  args: readonly string[],
  { env = {}, cwd = '/', limit = 300 }: { env?: Readonly<Record<string, string>>; cwd?: string; limit?: number } = {},
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'gteway-host-'));
  const log = join(folder, 'output');
  const output = openSync(log, 'w');
  const [program = '', ...options] = command;
  return new Promise<Run>((settle, reject) => {
    const child = spawn(program, [...options, hostPath(script), ...args], {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', output, output],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      settle({ code, signal, output: readFileSync(log, 'utf8').trim() });
    });
  }).finally(() => {
    closeSync(output);
    rmSync(folder, { recursive: true, force: true });
  });
}

/** What a step of platform-probe.mjs found. Rejects, with what it printed, where it failed. */
export async function probe<Found>(
  step: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Found> {
  const script = join(import.meta.dirname, 'platform-probe.mjs');
  const { code, signal, output } = await runOnHost(script, [step, ...args], { env });
  const result = /^RESULT (.*)$/m.exec(output)?.[1];
  if (code !== 0 || result === undefined)
    throw new Error(`${step} on ${hostName} ended with ${String(code ?? signal)}:\n${output}`);
  return JSON.parse(result) as Found;
}
