/** 64-bit PE; figures are those of Microsoft's "PE Format". */
import { textAt } from './binary.mjs';

const machines = new Map([
  [0x8664, /** @type {const} */ ('x64')],
  [0xaa64, /** @type {const} */ ('arm64')],
]);

/** @param {Buffer} bytes */
export function readPe(bytes) {
  const header = bytes.readUInt32LE(0x3c);
  const arch = machines.get(bytes.readUInt16LE(header + 4));
  const optional = header + 24;
  if (arch === undefined || bytes.readUInt16LE(optional) !== 0x20b) throw new Error('a PE file of another processor');

  const table = optional + bytes.readUInt16LE(header + 20);
  const sections = Array.from({ length: bytes.readUInt16LE(header + 6) }, (_, i) => {
    const at = table + i * 40;
    return {
      address: bytes.readUInt32LE(at + 12),
      size: bytes.readUInt32LE(at + 16),
      offset: bytes.readUInt32LE(at + 20),
    };
  });
  /** Where in the file lies what is at `address` in memory. @param {number} address */
  const place = (address) => {
    const section = sections.find((one) => address >= one.address && address < one.address + one.size);
    if (section === undefined) throw new Error(`nothing of the file lies at ${address.toString(16)}`);
    return section.offset + (address - section.address);
  };
  /** @param {number} index */
  const directory = (index) => bytes.readUInt32LE(optional + 112 + index * 8);

  /** @type {string[]} */
  const exports = [];
  if (directory(0) !== 0) {
    const list = place(directory(0));
    const count = bytes.readUInt32LE(list + 24);
    const names = count > 0 ? place(bytes.readUInt32LE(list + 32)) : 0;
    for (let i = 0; i < count; ++i) exports.push(textAt(bytes, place(bytes.readUInt32LE(names + i * 4))));
  }

  /** @type {string[]} */
  const libraries = [];
  /** @type {string[]} */
  const imports = [];
  for (let at = directory(1) === 0 ? -1 : place(directory(1)); at >= 0 && bytes.readUInt32LE(at + 12) !== 0; at += 20) {
    libraries.push(textAt(bytes, place(bytes.readUInt32LE(at + 12))));
    for (let name = place(bytes.readUInt32LE(at)); bytes.readBigUInt64LE(name) !== 0n; name += 8) {
      const value = bytes.readBigUInt64LE(name);
      const isNumber = value >> 63n === 1n;
      imports.push(isNumber ? `#${value & 0xffffn}` : textAt(bytes, place(Number(value)) + 2));
    }
  }
  return { format: /** @type {const} */ ('pe'), arch, exports, imports, libraries };
}
