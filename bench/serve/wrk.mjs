/** wrk, a load generator in C (Debian's package of that name), asked for queries of which no two are equal. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('queries.lua', import.meta.url));

/** @type {boolean | undefined} */
let found;

/** Whether it is there. It ends with 1 when it is asked for its version. */
export function hasWrk() {
  found ??= spawnSync('wrk', ['--version']).error === undefined;
  return found;
}

/**
 * @param {{ url: string, path: string, connections: number, seconds: number, texts: string[], seed: number, format: string }} question
 */
export async function loadWithWrk({ url, path, connections, seconds, texts, seed, format }) {
  const directory = mkdtempSync(join(tmpdir(), 'gteway-bench-'));
  const file = join(directory, 'texts');
  try {
    // Escaped for JSON already, one a line.
    writeFileSync(file, texts.map((text) => `${JSON.stringify(text).slice(1, -1)}\n`).join(''));
    const { stdout } = await promisify(execFile)(
      'wrk',
      ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '60s', '-s', script, `${url}${path}`],
      { env: { ...process.env, TEXTS: file, SEED: String(seed), FORMAT: format } },
    );
    const told = /^FIGURES (\{.*\})$/m.exec(stdout);
    if (told === null) throw new Error(`wrk said no figures:\n${stdout}`);
    const { requests, microseconds, p50, p99, failed } = JSON.parse(told[1]);
    if (failed > 0) throw new Error(`${failed} of ${requests} requests failed`);
    return { perSecond: (requests / microseconds) * 1e6, p50: p50 / 1000, p99: p99 / 1000 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
