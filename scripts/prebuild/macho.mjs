/** 64-bit Mach-O; figures are those of Apple's <mach-o/loader.h>, <mach-o/nlist.h> and <kern/cs_blobs.h>. */
import { createHash } from 'node:crypto';
import { textAt } from './binary.mjs';

const machines = new Map([
  [0x01000007, /** @type {const} */ ('x64')],
  [0x0100000c, /** @type {const} */ ('arm64')],
]);
const command = { symbols: 0x2, library: 0xc, weakLibrary: 0x80000018, signature: 0x1d };
const symbol = { debug: 0xe0, privateExternal: 0x10, type: 0x0e, external: 0x01 };

/** @param {Buffer} bytes */
export function readMachO(bytes) {
  const arch = machines.get(bytes.readUInt32LE(4));
  if (arch === undefined) throw new Error('a Mach-O file of another processor');
  /** @type {string[]} */
  const exports = [];
  /** @type {string[]} */
  const imports = [];
  /** @type {string[]} */
  const libraries = [];
  let signature = /** @type {'none' | 'ad hoc' | 'other' | 'broken'} */ ('none');

  let at = 32;
  for (let left = bytes.readUInt32LE(16); left > 0; --left) {
    const kind = bytes.readUInt32LE(at);
    if (kind === command.library || kind === command.weakLibrary)
      libraries.push(textAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (kind === command.signature) signature = readSignature(bytes, bytes.readUInt32LE(at + 8));
    if (kind === command.symbols) {
      const [list, count, texts] = [8, 12, 16].map((field) => bytes.readUInt32LE(at + field));
      for (let i = 0; i < count; ++i) {
        const one = list + i * 16;
        const flags = bytes[one + 4];
        if ((flags & symbol.debug) !== 0 || (flags & symbol.external) === 0) continue;
        const name = textAt(bytes, texts + bytes.readUInt32LE(one)).replace(/^_/, '');
        if ((flags & symbol.type) === 0) imports.push(name);
        else if ((flags & symbol.privateExternal) === 0) exports.push(name);
      }
    }
    at += bytes.readUInt32LE(at + 4);
  }
  return { format: /** @type {const} */ ('macho'), arch, exports, imports, libraries, signature };
}

/** macOS on Arm refuses code without a signature whose hashes are those of its pages. @param {Buffer} bytes @param {number} at */
function readSignature(bytes, at) {
  const magic = { all: 0xfade0cc0, directory: 0xfade0c02 };
  if (bytes.readUInt32BE(at) !== magic.all) return 'broken';
  for (let i = 0; i < bytes.readUInt32BE(at + 8); ++i) {
    const directory = at + bytes.readUInt32BE(at + 12 + i * 8 + 4);
    if (bytes.readUInt32BE(directory) !== magic.directory) continue;
    const [flags, hashes, , , count, limit] = [12, 16, 20, 24, 28, 32].map((field) =>
      bytes.readUInt32BE(directory + field),
    );
    const [hashSize, hashType, , pageBits] = bytes.subarray(directory + 36, directory + 40);
    if (hashType !== 2 || hashSize !== 32 || count * 2 ** pageBits < limit) return 'broken';
    for (let page = 0; page < count; ++page) {
      const begin = page * 2 ** pageBits;
      const hash = createHash('sha256').update(bytes.subarray(begin, Math.min(begin + 2 ** pageBits, limit)));
      const stored = directory + hashes + page * hashSize;
      if (!hash.digest().equals(bytes.subarray(stored, stored + hashSize))) return 'broken';
    }
    return (flags & 2) !== 0 ? 'ad hoc' : 'other';
  }
  return 'broken';
}
