/** Runs resolveModel in processes of its own, for what one process cannot show: locks, user ids, resource limits. */
import { spawn, type SpawnOptions, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

const program = `
import { resolveModel } from '../../dist/models/resolve.js';
const [model, options] = JSON.parse(process.argv[2]);
try {
  console.log(JSON.stringify(await resolveModel(model, options)));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message, details: error.details }));
}
`;

export interface ChildOutcome {
  /** What resolveModel gave, or the error's code, message and details. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly outcome: Promise<ChildOutcome>;

  kill(): void;
}

/** The children run from dist/, as a user's program would; `npm test` builds it first. */
export function useChildProcesses(): {
  /** `shellPrefix`: shell commands to run before it in the same process, such as `ulimit`. */
  readonly run: (model: string, options: object, spawnOptions?: SpawnOptions, shellPrefix?: string) => Child;
  /** Why no child can run as that user, or undefined when one can. */
  readonly cannotRunAs: (uid: number) => string | undefined;
} {
  let directory = '';
  beforeAll(() => {
    // Inside the checkout, beside dist/ and the library's dependencies.
    mkdirSync(join(root, '.cache'), { recursive: true });
    directory = mkdtempSync(join(root, '.cache', 'models-test-'));
    chmodSync(directory, 0o755);
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    writeFileSync(join(directory, 'main.js'), program);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  return {
    cannotRunAs(uid) {
      if (process.getuid?.() !== 0) return 'needs root, to run a child as another user';
      const look = `require('fs').accessSync(${JSON.stringify(join(directory, 'main.js'))})`;
      const { status } = spawnSync(process.execPath, ['-e', look], { uid, gid: uid });
      return status === 0 ? undefined : 'another user cannot read this checkout';
    },
    run(model, options, spawnOptions = {}, shellPrefix) {
      const nodeArguments = [join(directory, 'main.js'), JSON.stringify([model, options])];
      const child =
        shellPrefix === undefined
          ? spawn(process.execPath, nodeArguments, { ...spawnOptions, stdio: 'pipe' })
          : spawn('sh', ['-c', `${shellPrefix}; exec "$@"`, 'sh', process.execPath, ...nodeArguments], {
              ...spawnOptions,
              stdio: 'pipe',
            });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      return {
        pid: child.pid ?? 0,
        outcome: new Promise((resolve, reject) => {
          child.once('error', reject);
          child.once('close', (_code, signal) => {
            const result = output === '' ? undefined : (JSON.parse(output) as Record<string, unknown>);
            resolve({ result, signal });
          });
        }),
        kill: () => void child.kill('SIGKILL'),
      };
    },
  };
}
