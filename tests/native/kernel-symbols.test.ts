/**
 * No code compiled for an instruction set may be reachable but through the table of kernels. An inline function that
 * such a file shares with others becomes a weak symbol; the linker keeps one copy of it for the whole program, perhaps
 * the one with instructions this machine lacks. So: nothing but the tables of kernels leaves those object files, and of
 * the sets whose kernels are not one text with the others' the kernels, each in a file of its own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const objectsRoot = join(root, 'build', 'CMakeFiles');

/** The members of `struct Table` in contract.hpp and `struct EncoderTable` in encoder_contract.hpp. */
function kernelNames(): string[] {
  return ['contract.hpp', 'encoder_contract.hpp'].flatMap((file) => {
    const contract = readFileSync(join(root, 'native', 'src', 'kernels', file), 'utf8');
    const table = /struct (?:Encoder)?Table \{([^}]*)\}/.exec(contract)?.[1] ?? '';
    return [...table.matchAll(/\*\s*(\w+)(?: = nullptr)?;/g)].map((match) => match[1] ?? '');
  });
}
const tableNames = ['table', 'encoder_table'];
const withKernelFiles = ['scalar', 'amx'];

function objectFiles(): { isa: string; file: string }[] {
  if (!existsSync(objectsRoot)) return [];
  return readdirSync(objectsRoot).flatMap((folder) => {
    const isa = /^gteway_kernels_(\w+)\.dir$/.exec(folder)?.[1];
    if (isa === undefined) return [];
    return readdirSync(join(objectsRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.o'))
      .map((file) => ({ isa, file: join(objectsRoot, folder, file) }));
  });
}

test('object files of each instruction set export their tables, some their kernels, nothing else', (context) => {
  const objects = objectFiles();
  expect(objects.length, `no kernel objects below ${objectsRoot}: npm run build:tests`).toBeGreaterThan(0);
  expect(kernelNames()).toEqual(expect.arrayContaining(['pool_mean_f32', 'linear_f32']));

  const exported = new Map<string, Set<string>>();
  const unexpected: string[] = [];
  for (const { isa, file } of objects) {
    const nm = spawnSync('nm', ['--extern-only', '--defined-only', '--demangle', file], { encoding: 'utf8' });
    if ((nm.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') context.skip('nm (binutils) is not here');
    expect(nm.status, nm.stderr).toBe(0);
    for (const line of nm.stdout.split('\n').filter((text) => text !== '')) {
      const [, kind = '', symbol = ''] = /^\S+ (\S) (.*)$/.exec(line) ?? [];
      const prefix = `gteway::kernels::${isa}::`;
      const name = symbol.startsWith(prefix) ? symbol.slice(prefix.length).replace(/\(.*/, '') : '';
      const isKernel = withKernelFiles.includes(isa) && kind === 'T' && kernelNames().includes(name);
      const isTable = /[DR]/.test(kind) && tableNames.includes(name);
      if (!isKernel && !isTable) unexpected.push(`${isa}: ${line} (${file})`);
      exported.set(isa, (exported.get(isa) ?? new Set()).add(name));
    }
  }
  expect(unexpected).toEqual([]);
  for (const [isa, names] of exported)
    expect(
      tableNames.some((name) => names.has(name)),
      isa,
    ).toBe(true);
  expect([...(exported.get('scalar') ?? [])].toSorted()).toEqual([...kernelNames(), ...tableNames].toSorted());
});
