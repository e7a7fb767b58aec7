// One step of platform.test.ts, in whatever host runs this: `platform-probe.mjs <step> …`, the result as a line of JSON.
import { createHash } from 'node:crypto';
import { copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Session, Tokenizer } from '../../dist/index.js';
import { RepositoryCache } from '../../dist/models/cache.js';
import { addonPath, binding } from '../../dist/native/binding.js';

const linesOf = (file) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const cosine = (a, b) => {
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

const steps = {
  load() {
    return {
      version: binding().version,
      addon: addonPath(),
      platform: process.platform,
      arch: process.arch,
      runtime: process.versions.bun === undefined ? `Node.js ${process.version}` : `Bun ${process.versions.bun}`,
    };
  },

  async tokens(model, golden) {
    const tokenizer = await Tokenizer.fromDirectory(model);
    const texts = linesOf(golden);
    const wrong = texts.filter(({ text, ids }) => {
      const encoding = tokenizer.encode(text, { maxTokens: Infinity });
      return encoding.ids.length !== ids.length || ids.some((id, i) => id !== encoding.ids[i]);
    });
    return { texts: texts.length, wrong: wrong.length };
  },

  async vectors(model, golden, count, dtype) {
    const references = linesOf(golden).slice(0, Number(count));
    const session = await Session.load(model, { engine: 'encoder', dtype });
    const rows = [...(await session.embed(references.map(({ text }) => text)))];
    const { isa } = session.info;
    await session.close();
    return {
      isa,
      texts: rows.length,
      worst: Math.min(...rows.map((row, i) => cosine([...row], references[i].embedding))),
    };
  },

  async embed(model, ...texts) {
    const session = await Session.load(model);
    const vectors = [...(await session.embed(texts))].map((row) => [...row]);
    await session.close();
    return vectors;
  },

  // What a download does once a file has arrived, for a whole model, and then the model by its name.
  async cache(folder, repository, model, text) {
    const cache = new RepositoryCache(folder, repository);
    const commit = '0123456789abcdef0123456789abcdef01234567';
    await cache.rememberCommit('main', commit);
    const files = readdirSync(model, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const file of files.map((entry) => join(entry.parentPath, entry.name))) {
      const name = relative(model, file).replaceAll('\\', '/');
      const etag = createHash('sha256').update(readFileSync(file)).digest('hex');
      mkdirSync(dirname(cache.blobPath(etag)), { recursive: true });
      copyFileSync(file, cache.blobPath(etag));
      await cache.linkIntoSnapshot(commit, name, etag);
    }
    const names = files.map(({ parentPath, name }) => relative(model, join(parentPath, name)));
    const links = names.filter((name) => lstatSync(join(cache.snapshotDirectory(commit), name)).isSymbolicLink());
    const session = await Session.load(repository, { cacheDir: folder, offline: true });
    const vector = [...(await session.run(text))];
    await session.close();
    return { vector, symlinks: links.length, files: files.length };
  },

  async runtime(model) {
    const session = await Session.load(model, { engine: 'ort' }).catch((error) => error);
    if (session instanceof Error) return { code: session.code, message: session.message };
    const vector = [...(await session.run('Hello world'))];
    await session.close();
    return { vector };
  },
};

const [step, ...args] = process.argv.slice(2);
console.log(`RESULT ${JSON.stringify(await steps[step](...args))}`);
