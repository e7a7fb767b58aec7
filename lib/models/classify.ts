/**
 * What a model's name means. The rule, first match wins:
 *
 * 1. A known name (`gte-small`, or `gteway-mini`, which is in the package, or a reranker's), in any case: that model. Always, whatever lies in the working directory; write
 *    `./gte-small` to mean a directory.
 * 2. A path: it starts with `./`, `../`, `/`, `~/`, a drive letter (`C:\`) or `\\`, or is `.`, `..` or `~`: a directory.
 * 3. The name of an existing directory with a `config.json` in it, relative to the working directory: that directory.
 * 4. `owner/name` or `owner/name@revision`: a hub repository, if both parts are names the hub allows.
 * 5. Anything else (`mistral`, `llama3:8b`, `hf.co/owner/name`): a language model, served by another process.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundledDirectory, bundledModel } from './bundled.js';
import { expandHome } from './environment.js';
import { isRepositoryName, isRevision } from './names.js';
import { type KnownModel, knownModel, knownRepository } from './registry.js';
import { knownReranker } from './rerankers.js';

export type ModelReference =
  | { readonly kind: 'known'; readonly name: string; readonly repository: string; readonly facts: KnownModel }
  | {
      readonly kind: 'hub';
      readonly name: string;
      readonly repository: string;
      readonly revision?: string;
      /** Set when the repository holds the weights of a known model. */
      readonly facts?: KnownModel;
    }
  | { readonly kind: 'directory'; readonly name: string; /** Absolute. */ readonly directory: string }
  | { readonly kind: 'llm'; readonly name: string };

/**
 * Says what `model` refers to. Looks at the file system for rule 3 only; opens no connection.
 *
 * Throws TypeError when `model` is not a string, RangeError when it is empty or names a revision no git ref can have.
 */
export function classifyModel(model: string): ModelReference {
  if (typeof model !== 'string') {
    throw new TypeError(`model must be a string such as 'gte-small', got ${typeof (model as unknown)}`);
  }
  if (model.trim() === '') throw new RangeError("model is empty; give a name such as 'gte-small', or a directory");
  if (model.includes('\0')) throw new RangeError('model contains a null character');

  if (model.toLowerCase() === bundledModel) {
    return { kind: 'directory', name: bundledModel, directory: bundledDirectory() };
  }
  const facts = knownModel(model);
  if (facts) return { kind: 'known', name: facts.name, repository: facts.repository, facts };
  const reranker = knownReranker(model);
  if (reranker) return { kind: 'hub', name: reranker.name, repository: reranker.repository };
  if (isPath(model)) return { kind: 'directory', name: model, directory: resolve(expandHome(model)) };
  if (existsSync(join(model, 'config.json'))) return { kind: 'directory', name: model, directory: resolve(model) };

  const at = model.indexOf('@');
  const repository = at === -1 ? model : model.slice(0, at);
  if (isRepositoryName(repository)) {
    const revision = at === -1 ? undefined : model.slice(at + 1);
    if (revision !== undefined && !isRevision(revision)) {
      throw new RangeError(
        `model '${model}': '${revision}' cannot be a revision; give a branch, a tag or a commit, as in owner/name@main`,
      );
    }
    const twin = knownRepository(repository);
    return {
      kind: 'hub',
      name: model,
      repository,
      ...(revision === undefined ? {} : { revision }),
      ...(twin === undefined ? {} : { facts: twin }),
    };
  }
  return { kind: 'llm', name: model };
}

function isPath(model: string): boolean {
  return /^(?:\.{0,2}[/\\]|[A-Za-z]:[/\\]|~[/\\]|(?:\.{1,2}|~)$)/.test(model);
}
