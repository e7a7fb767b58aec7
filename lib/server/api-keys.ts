/** API keys: clients send one as `Authorization: Bearer …`, which is how all three APIs' clients do. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { RequestFailure } from './failures.js';

export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /** Those given, and a file's: one per line; blank lines and lines that begin with # do not count. */
  static async read(keys: readonly string[], file: string | undefined): Promise<ApiKeys> {
    if (file === undefined) return new ApiKeys(keys);
    const lines = (await readFile(file, 'utf8')).split(/\r?\n/).map((line) => line.trim());
    const inFile = lines.filter((line) => line !== '' && !line.startsWith('#'));
    if (inFile.length === 0) throw new RangeError(`apiKeyFile ${file} has no key in it`);
    return new ApiKeys([...keys, ...inFile]);
  }

  get areRequired(): boolean {
    return this.#digests.length > 0;
  }

  /** Throws RequestFailure 'unauthorized' unless the header holds one of the keys, or none is required. */
  check(authorization: string | undefined): void {
    if (!this.areRequired) return;
    const [, key] = /^Bearer +(.*)$/i.exec(authorization ?? '') ?? [];
    if (key === undefined) {
      throw new RequestFailure('unauthorized', 'an API key is required: send the header Authorization: Bearer <key>');
    }
    if (!this.#holds(key.trim())) throw new RequestFailure('unauthorized', 'the API key is not one of this server’s');
  }

  /** In a time that tells neither which key is near nor how near: all are compared, as digests of one length. */
  #holds(key: string): boolean {
    const given = digest(key);
    let found = 0;
    for (const known of this.#digests) found |= Number(timingSafeEqual(given, known));
    return found === 1;
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
