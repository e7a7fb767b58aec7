/** Runs a script of children/ in a process of its own, as a user's program would run: from dist/, with plain node. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly seconds: number;
}

/** Waits for the process to end, killing it after `limit` seconds: a hang is a failure with a signal. */
export function runChild(script: string, args: readonly string[], { limit = 60, env = {} } = {}): Promise<Outcome> {
  const path = fileURLToPath(new URL(`children/${script}`, import.meta.url));
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', path, ...args], { env: { ...process.env, ...env } });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, output: output.trim(), seconds: (performance.now() - begin) / 1000 });
    });
  });
}
