/** Facts about this package. */
import { readFileSync } from 'node:fs';

/** The package's package.json, from lib/cli as from dist/cli. */
const packageJson = new URL('../../package.json', import.meta.url);

export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageJson, 'utf8')) as { version: string }).version;
}
