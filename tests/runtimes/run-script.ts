import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Runtime } from './tools.js';

/** What a script prints. Rejects, with what it printed, where it fails or has not ended after two minutes. */
export async function runScript(
  runtime: Runtime,
  /** The script and its arguments. */
  script: readonly string[],
  environment: Record<string, string>,
  directory: string,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(runtime.command, [...runtime.arguments, ...script], {
      cwd: directory,
      env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', ...environment },
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '', signal } = error as { stdout?: string; stderr?: string; signal?: string };
    throw new Error(
      `${runtime.name} ${script.join(' ')} failed${signal ? ` (${signal})` : ''}:\n${stdout}\n${stderr}`,
      {
        cause: error,
      },
    );
  }
}
