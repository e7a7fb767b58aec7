/** 64-bit little-endian ELF; figures are the ELF specification's and, for versions, the Linux Standard Base's. */
import { compareVersions, textAt } from './binary.mjs';

const machines = new Map([
  [62, /** @type {const} */ ('x64')],
  [183, /** @type {const} */ ('arm64')],
]);
const section = { dynamic: 6, dynamicSymbols: 11, neededVersions: 0x6ffffffe };
const entry = { needed: 1, flags1: 0x6ffffffb };
const noDelete = 8;

/** @param {Buffer} bytes */
export function readElf(bytes) {
  const arch = machines.get(bytes.readUInt16LE(18));
  if (arch === undefined || bytes[4] !== 2) throw new Error('an ELF file of another processor');
  const sections = readSections(bytes);
  /** @param {number} type */
  const find = (type) => sections.find((one) => one.type === type);

  /** @type {string[]} */
  const exports = [];
  /** @type {string[]} */
  const imports = [];
  const symbols = find(section.dynamicSymbols);
  for (let at = 24; symbols && at < symbols.size; at += 24) {
    const symbol = symbols.offset + at;
    const name = textAt(bytes, sections[symbols.link].offset + bytes.readUInt32LE(symbol));
    const isLocal = bytes[symbol + 4] >> 4 === 0;
    if (!isLocal) (bytes.readUInt16LE(symbol + 6) === 0 ? imports : exports).push(name);
  }

  /** @type {string[]} */
  const libraries = [];
  let staysLoaded = false;
  const dynamic = find(section.dynamic);
  for (let at = 0; dynamic && at < dynamic.size; at += 16) {
    const tag = Number(bytes.readBigInt64LE(dynamic.offset + at));
    const value = Number(bytes.readBigUInt64LE(dynamic.offset + at + 8));
    if (tag === entry.needed) libraries.push(textAt(bytes, sections[dynamic.link].offset + value));
    if (tag === entry.flags1) staysLoaded = (value & noDelete) !== 0;
  }
  const needed = find(section.neededVersions);
  const versions = needed ? newestVersions(bytes, needed.offset, sections[needed.link].offset) : {};
  return { format: /** @type {const} */ ('elf'), arch, exports, imports, libraries, versions, staysLoaded };
}

/** @param {Buffer} bytes */
function readSections(bytes) {
  const offset = Number(bytes.readBigUInt64LE(40));
  const size = bytes.readUInt16LE(58);
  return Array.from({ length: bytes.readUInt16LE(60) }, (_, i) => {
    const at = offset + i * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
    };
  });
}

/** Two nested lists: libraries, and of each the versions wanted. @param {Buffer} bytes @param {number} at @param {number} texts */
function newestVersions(bytes, at, texts) {
  /** @type {Record<string, string>} */
  const newest = {};
  for (let library = at; ;) {
    let version = library + bytes.readUInt32LE(library + 8);
    for (let left = bytes.readUInt16LE(library + 2); left > 0; --left) {
      const name = textAt(bytes, texts + bytes.readUInt32LE(version + 8));
      const [, family = name, number = '0'] = /^(\w+?)_([\d.]+)$/.exec(name) ?? [];
      if (newest[family] === undefined || compareVersions(number, newest[family]) > 0) newest[family] = number;
      version += bytes.readUInt32LE(version + 12);
    }
    const next = bytes.readUInt32LE(library + 12);
    if (next === 0) return newest;
    library += next;
  }
}
