/** Runs the built CLI as a shell does: another process, pipes instead of a terminal, a hub that is not there. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { root } from '../built-library.js';

export const main = join(root, 'dist', 'cli', 'main.js');

/** Nothing listens on this port, and only root could. */
export const deadHub = 'http://127.0.0.1:2';

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** The same, for what is not text. */
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string | Buffer | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of node itself. */
  readonly node?: readonly string[];
}

/** The cache that holds the fixture model made for this run. */
export function fixtureCache(): string {
  return dirname(dirname(inject('fixture')));
}

/** What the CLI sees of this machine's environment: nothing that changes what it does. */
export function cliEnvironment(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: tmpdir(),
    HF_HUB_CACHE: fixtureCache(),
    HF_ENDPOINT: deadHub,
    ...env,
  };
}

export function runCli(args: readonly string[], { input = '', env, node = [] }: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...node, main, ...args], { env: cliEnvironment(env) });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A command that fails early does not read its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const bytes = Buffer.concat(stdout);
      resolve({ code, signal, stdout: bytes.toString(), bytes, stderr: Buffer.concat(stderr).toString() });
    });
  });
}

/** Runs it and expects success. */
export async function cli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  const result = await runCli(args, options);
  if (result.code !== 0) throw new Error(`gteway ${args.join(' ')}: exit code ${result.code}\n${result.stderr}`);
  return result;
}

/** The most memory the command ever had, in MB: printed by node itself as the process ends. */
export async function peakMegabytes(args: readonly string[], input: string | Buffer): Promise<number> {
  const script = "process.on('exit', () => process._rawDebug('peak ' + process.resourceUsage().maxRSS))";
  const { stderr } = await cli(args, {
    input,
    node: ['--import', `data:text/javascript,${encodeURIComponent(script)}`],
  });
  return Number(/^peak (\d+)$/m.exec(stderr)?.[1]) / 1024;
}

/** An empty directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gteway-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
