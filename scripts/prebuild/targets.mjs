/**
 * The platforms that have a prebuilt addon: where prebuildify's layout puts the file, how zig's compiler makes it, and
 * what it may ask of the system that loads it.
 *
 * @typedef {object} Target
 * @property {string} name what `npm run prebuilds -- NAME` takes
 * @property {string} file below prebuilds/; node-gyp-build reads the tags between the dots
 * @property {string} zig zig's name of the target, with the oldest C library it shall run on
 * @property {'Linux' | 'Windows' | 'Darwin'} system CMake's name of it
 * @property {'x86_64' | 'aarch64' | 'AMD64' | 'ARM64' | 'arm64'} processor as CMAKE_SYSTEM_PROCESSOR is on such a machine
 * @property {'elf' | 'pe' | 'macho'} format
 * @property {'x64' | 'arm64'} arch
 * @property {Readonly<Record<string, string>>} [ceilings] the newest version of each family of symbols that may be asked for
 * @property {RegExp} libraries what it may link
 */

const glibc = {
  system: 'Linux',
  format: 'elf',
  ceilings: { GLIBC: '2.17' },
  libraries: /^(lib(c|m|dl|pthread|rt)\.so\.\d|ld-linux-[\w-]+\.so\.\d)$/,
};
const musl = { system: 'Linux', format: 'elf', ceilings: {}, libraries: /^libc\.so$/ };
// The C runtime is Windows' own from version 10 on.
const windows = {
  system: 'Windows',
  format: 'pe',
  libraries: /^(KERNEL32\.dll|ntdll\.dll|api-ms-win-crt-[\w-]+\.dll)$/i,
};
const macos = { system: 'Darwin', format: 'macho', libraries: /^\/usr\/lib\/libSystem\.B\.dylib$/ };

/** @type {readonly Target[]} */
export const targets = [
  {
    ...glibc,
    name: 'linux-x64-glibc',
    file: 'linux-x64/gteway.glibc.node',
    zig: 'x86_64-linux-gnu.2.17',
    processor: 'x86_64',
    arch: 'x64',
  },
  {
    ...glibc,
    name: 'linux-arm64-glibc',
    file: 'linux-arm64/gteway.armv8.glibc.node',
    zig: 'aarch64-linux-gnu.2.17',
    processor: 'aarch64',
    arch: 'arm64',
  },
  {
    ...musl,
    name: 'linux-x64-musl',
    file: 'linux-x64/gteway.musl.node',
    zig: 'x86_64-linux-musl',
    processor: 'x86_64',
    arch: 'x64',
  },
  {
    ...musl,
    name: 'linux-arm64-musl',
    file: 'linux-arm64/gteway.armv8.musl.node',
    zig: 'aarch64-linux-musl',
    processor: 'aarch64',
    arch: 'arm64',
  },
  {
    ...windows,
    name: 'win32-x64',
    file: 'win32-x64/gteway.node',
    zig: 'x86_64-windows-gnu',
    processor: 'AMD64',
    arch: 'x64',
  },
  {
    ...windows,
    name: 'win32-arm64',
    file: 'win32-arm64/gteway.armv8.node',
    zig: 'aarch64-windows-gnu',
    processor: 'ARM64',
    arch: 'arm64',
  },
  {
    ...macos,
    name: 'darwin-arm64',
    file: 'darwin-arm64/gteway.armv8.node',
    zig: 'aarch64-macos.11.0',
    processor: 'arm64',
    arch: 'arm64',
  },
  {
    ...macos,
    name: 'darwin-x64',
    file: 'darwin-x64/gteway.node',
    zig: 'x86_64-macos.11.0',
    processor: 'x86_64',
    arch: 'x64',
  },
];
