/** An Edge Function, served by a runtime in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { here, type Runtime } from './tools.js';

export interface EdgeFunction {
  readonly url: string;
  /** What the function's process has printed. */
  output(): string;
  post(body: unknown, signal?: AbortSignal): Promise<Response>;
  stop(): Promise<void>;
}

/** Where the code goes, so that it finds packages by their names. */
export const workshop = join(here, '.cache');

export function writeCode(runtime: Runtime, name: string, code: string): string {
  mkdirSync(workshop, { recursive: true });
  // The guide's TypeScript has no types in it. Node and Bun take it as JavaScript, Deno as what it is.
  const path = join(workshop, `${name}.${runtime.name}.${runtime.name === 'deno' ? 'ts' : 'mjs'}`);
  writeFileSync(path, code);
  return path;
}

export async function serveFunction(
  runtime: Runtime,
  name: string,
  code: string,
  environment: Record<string, string>,
): Promise<EdgeFunction> {
  const path = writeCode(runtime, name, code);
  const host = runtime.name === 'deno' ? [] : [join(here, 'edge-host.mjs')];
  const child = spawn(runtime.command, [...runtime.arguments, ...host, path], {
    cwd: here,
    env: { ...process.env, DENO_SERVE_ADDRESS: 'tcp:127.0.0.1:0', DENO_NO_UPDATE_CHECK: '1', ...environment },
  });
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    const listen = (bytes: Buffer): void => {
      printed += bytes.toString();
      const found = /Listening on (http:\/\/[^\s/]+)/.exec(printed)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('error', reject);
    child.once('exit', (status) => reject(new Error(`${runtime.name} ended with ${String(status)}:\n${printed}`)));
  });
  return {
    url,
    output: () => printed,
    post: (body, signal) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      }),
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}
