#!/usr/bin/env node
// Installs the package's tarball as users do, each time into an empty project, and says what held, as a table:
//
//   node scripts/try-hosts.mjs [--tarball build/gteway-0.1.0.tgz] [NAME…]
//
// NAME is the beginning of a trial's name (--list shows them). An npm registry on this machine has gteway and hands on the
// rest, so what is typed is what users type. Bundlers and hosts are tried as docs/ says: the pages' own files and commands.
// Needs Linux and the npm registry. Exit status 1: something did not hold.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startHub } from './hosts/hub.mjs';
import { managers, tryManager } from './hosts/managers.mjs';
import { followPage, pages } from './hosts/pages.mjs';
import { startRegistry } from './hosts/registry.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tarball: { type: 'string' }, list: { type: 'boolean', default: false } },
});
const tarball = values.tarball ?? newestTarball();
const [registry, hub] = await Promise.all([startRegistry(tarball), startHub()]);

/** @type {readonly { name: string, run: () => Promise<string[]> }[]} what was typed or read, and what held */
const trials = [
  ...managers.map((manager) => ({
    name: manager.name,
    run: () => tryManager(manager, registry, manager.tools.map(toolFolder)),
  })),
  ...pages.map(({ name, path }) => ({
    name,
    run: async () => {
      await followPage(path, registry, { HF_ENDPOINT: hub.url });
      return [`[${path.slice(5)}](${path.slice(5)})`, 'all its commands'];
    },
  })),
];

let failures = 0;
const rows = [];
for (const { name, run } of trials) {
  if (positionals.length > 0 && !positionals.some((wanted) => name.toLowerCase().startsWith(wanted.toLowerCase())))
    continue;
  if (values.list) {
    console.log(name);
    continue;
  }
  const started = performance.now();
  try {
    rows.push([name, ...(await run())]);
    console.log(`${name}: held, ${Math.round((performance.now() - started) / 1000)} s`);
  } catch (error) {
    ++failures;
    rows.push([name, '', 'did not hold']);
    console.error(`${name}: did not hold: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
registry.close();
hub.close();
if (!values.list) {
  console.log(`\n| with | | what held |\n| --- | --- | --- |`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}
process.exitCode = failures > 0 ? 1 : 0;

function newestTarball() {
  const build = join(root, 'build');
  const found = existsSync(build) ? readdirSync(build).filter((name) => /^gteway-.*\.tgz$/.test(name)) : [];
  const last = found.sort().at(-1);
  if (last !== undefined) return join(build, last);
  console.error('try-hosts: no tarball in build/: npm run prebuilds');
  return process.exit(1);
}

/** The folder with the programs of an npm package, installed once. @param {string} wanted its name and version */
function toolFolder(wanted) {
  const folder = join(root, '.cache', 'tools', wanted.replaceAll(/[@/]/g, '_'));
  if (!existsSync(folder)) {
    const unfinished = `${folder}.partial`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', unfinished, wanted], {
      cwd: unfinished,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    renameSync(unfinished, folder);
  }
  return join(folder, 'node_modules', '.bin');
}
