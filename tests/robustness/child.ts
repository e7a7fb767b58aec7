/** Runs a script of children/ in a process of its own, as a user's program would run: from dist/, with plain node. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly seconds: number;
}

/**
 * `script` is a file of children/, or an absolute path. Waits for the process to end, killing it after `limit` seconds: a hang is a
 * failure with a signal.
 */
export function runChild(script: string, args: readonly string[], { limit = 280, env = {} } = {}): Promise<Outcome> {
  const path = resolve(fileURLToPath(new URL('children', import.meta.url)), script);
  const begin = performance.now();
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', path, ...args], { env: { ...process.env, ...env } });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      settle({ code, signal, output: output.trim(), seconds: (performance.now() - begin) / 1000 });
    });
  });
}
