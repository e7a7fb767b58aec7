/** The model inside the package: small, trained by this project (training/), there without a network. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outsideArchive } from '../native/outside-archive.js';

export const bundledModel = 'gteway-mini';

/** What every caller that falls back to the bundled model should tell the user. */
export const bundledNotice =
  'the small English model inside the package, for trying and testing; gte-small finds much more';

/** From lib/models as from dist/models. */
const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export function bundledDirectory(): string {
  return outsideArchive(join(packageRoot, 'models', bundledModel));
}
