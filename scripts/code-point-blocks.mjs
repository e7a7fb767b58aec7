// How tables over all code points are written as C++: equal blocks of 128 code points are stored once.

const blockBits = 7;

/** `values`, one for each of the 0x110000 code points, as a block's place per block and the blocks that differ. */
export function inBlocks(values) {
  const blocks = [];
  const blockAt = new Map();
  const index = [];
  for (let start = 0; start < 0x110000; start += 1 << blockBits) {
    const block = values.subarray(start, start + (1 << blockBits));
    const key = block.join();
    let at = blockAt.get(key);
    if (at === undefined) {
      at = blockAt.size;
      blocks.push(...block);
      blockAt.set(key, at);
    }
    index.push(at);
  }
  return { index, blocks, count: blockAt.size };
}

/** A C++ array, in lines as long as the sources have them. */
export function array(type, name, values) {
  const lines = [];
  let line = ' ';
  for (const value of values) {
    const text = ` ${value},`;
    if (line.length + text.length > 110) {
      lines.push(line);
      line = ' ';
    }
    line += text;
  }
  lines.push(line);
  return `const ${type} ${name}[] = {\n${lines.join('\n')}\n};\n`;
}
