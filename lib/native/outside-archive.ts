/**
 * Electron packs an application into an archive that its own `fs` and `require` see into, and nothing native does. What is
 * unpacked lies beside the archive, under the same path: `app.asar.unpacked` for `app.asar`.
 */
import { existsSync } from 'node:fs';

/** Where native code finds what JavaScript finds at `path`. */
export function outsideArchive(path: string): string {
  const unpacked = path.replace(/(\.asar)(?=[\\/])/, '$1.unpacked');
  return unpacked !== path && existsSync(unpacked) ? unpacked : path;
}
