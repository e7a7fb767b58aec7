/**
 * What a shared library of Linux (ELF), Windows (PE) or macOS (Mach-O) shows and asks for, read from its bytes: the tools
 * that print this are different ones on every system, and none of them reads all three.
 *
 * @typedef {object} Binary
 * @property {'elf' | 'pe' | 'macho'} format
 * @property {'x64' | 'arm64'} arch
 * @property {string[]} exports names others may bind to, without Mach-O's underscore
 * @property {string[]} imports names it wants from others, likewise
 * @property {string[]} libraries what it links
 * @property {Record<string, string>} versions ELF: the newest version of each family of symbols it wants, as GLIBC: 2.17
 * @property {boolean} staysLoaded ELF: it is never unloaded once it is open
 * @property {'none' | 'ad hoc' | 'other' | 'broken'} signature Mach-O: whether it is signed, and its hashes are right
 */
import { readElf } from './elf.mjs';
import { readMachO } from './macho.mjs';
import { readPe } from './pe.mjs';

/** @param {Buffer} bytes @returns {Binary} */
export function readBinary(bytes) {
  const unversioned = { versions: {}, staysLoaded: false, signature: /** @type {const} */ ('none') };
  if (bytes.readUInt32BE(0) === 0x7f454c46) return { ...unversioned, ...readElf(bytes) };
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return { ...unversioned, ...readMachO(bytes) };
  if (bytes.readUInt16LE(0) === 0x5a4d) return { ...unversioned, ...readPe(bytes) };
  throw new Error('neither a 64-bit ELF, a PE nor a 64-bit Mach-O file');
}

/** The text that ends with a zero byte. @param {Buffer} bytes @param {number} offset */
export function textAt(bytes, offset) {
  return bytes.toString('latin1', offset, bytes.indexOf(0, offset));
}

/** Versions like 2.3.4, the way dlopen orders them. @param {string} a @param {string} b */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); ++i) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
