/** An application in Electron's archive: what native code opens is found beside it, where it is unpacked. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { outsideArchive } from '../../lib/native/outside-archive.js';
import { buildLibrary, root } from '../built-library.js';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gteway-archive-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a path leads out of the archive where the file is unpacked, and only there', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'app.asar.unpacked', 'models'), { recursive: true });
  const unpacked = join(folder, 'app.asar.unpacked', 'models');
  expect(outsideArchive(join(folder, 'app.asar', 'models'))).toBe(unpacked);
  expect(outsideArchive(unpacked)).toBe(unpacked);
  expect(outsideArchive(join(folder, 'app.asar', 'others'))).toBe(join(folder, 'app.asar', 'others'));
  expect(outsideArchive(join(folder, 'models'))).toBe(join(folder, 'models'));
  expect(outsideArchive(join(folder, 'app.asar'))).toBe(join(folder, 'app.asar'));
});

// In Electron the archive is a file whose JavaScript runs from a path within it. Here that path is a folder, which has the
// JavaScript and not the model.
test('the model of the package is read from beside the archive', { timeout: 60_000 }, async () => {
  await buildLibrary();
  const folder = temporaryFolder();
  const packed = join(folder, 'app.asar', 'node_modules', 'gteway');
  cpSync(join(root, 'dist'), join(packed, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(packed, 'package.json'));
  for (const name of ['build', 'prebuilds']) symlinkSync(join(root, name), join(packed, name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const script =
    "import('gteway').then(async ({ Session }) => { const session = await Session.load('gteway-mini');" +
    "console.log((await session.run('text')).length); await session.close(); })";
  const run = () => spawnSync(process.execPath, ['-e', script], { cwd: join(folder, 'app.asar'), encoding: 'utf8' });
  expect(run().stderr).toContain(join(packed, 'models', 'gteway-mini'));

  const unpacked = join(folder, 'app.asar.unpacked', 'node_modules', 'gteway');
  cpSync(join(root, 'models'), join(unpacked, 'models'), { recursive: true });
  const { stdout, stderr } = run();
  expect(stdout.trim(), stderr).toBe('224');
});
