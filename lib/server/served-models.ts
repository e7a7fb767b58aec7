/** All models of a server: loading, readiness, and finding one by the name a client gave. */
import { classifyModel } from '../models/classify.js';
import { nearestName } from '../arguments/known-names.js';
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import { show } from '../arguments/show.js';
import { RequestFailure } from './failures.js';
import { type ModelRequest, ServedModel } from './served-model.js';

export class ServedModels {
  readonly #requests: readonly ModelRequest[];
  readonly #abort = new AbortController();
  #models: readonly ServedModel[] = [];
  readonly #byName = new Map<string, ServedModel>();
  #isClosing = false;

  constructor(requests: readonly ModelRequest[]) {
    this.#requests = requests;
  }

  /** Loads them one after the other, each with all threads. Rejects with the first failure. */
  async load(options: EmbeddingSessionOptions): Promise<void> {
    const models: ServedModel[] = [];
    try {
      for (const request of this.#requests) models.push(await ServedModel.load(request, options, this.#abort.signal));
    } catch (error) {
      await Promise.all(models.map(({ session }) => session.close()));
      throw error;
    }
    this.#models = models;
    // Names that were given come before those that follow from what they stand for.
    for (const model of models) this.#byName.set(model.name.toLowerCase(), model);
    for (const model of models) {
      for (const name of model.names()) {
        if (!this.#byName.has(name.toLowerCase())) this.#byName.set(name.toLowerCase(), model);
      }
    }
  }

  /** Every model is loaded, has passed its self-test, and the server is not closing. */
  get isReady(): boolean {
    return !this.#isClosing && this.#models.length > 0;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** In the order they were given; empty until all are loaded. */
  get all(): readonly ServedModel[] {
    return this.#models;
  }

  /** Whether any request for embeddings would be refused now. */
  get areFull(): boolean {
    return this.#models.length > 0 && this.#models.every(({ isFull }) => isFull);
  }

  /** Throws RequestFailure 'unavailable' while loading; requests in flight are served while closing. */
  assertLoaded(): void {
    if (this.#models.length > 0) return;
    throw new RequestFailure('unavailable', this.#isClosing ? 'the server is closing' : 'the model is being loaded');
  }

  /** The first one. */
  get standard(): ServedModel {
    this.assertLoaded();
    const [first] = this.#models;
    if (first === undefined) throw new RequestFailure('unavailable', 'the model is being loaded');
    return first;
  }

  /** The model a client asks for; the first one where the API lets clients leave that open. */
  find(name: string | null | undefined): ServedModel {
    if (name === undefined || name === null) return this.standard;
    this.assertLoaded();
    const found = this.#byName.get(name.toLowerCase());
    if (found !== undefined) return found;
    const names = this.#models.map((model) => model.name);
    const nearest = nearestName(name, names);
    const hint = nearest === undefined ? `it serves ${names.join(', ')}` : `did you mean ${show(nearest)}?`;
    throw new RequestFailure('unknown-model', `this server has no embedding model ${show(name)}; ${hint}`, {
      field: 'model',
    });
  }

  /** From now on the server is not ready, and what is still loading stops. */
  beginClosing(): void {
    this.#isClosing = true;
    if (this.#models.length === 0) this.#abort.abort();
  }

  /** Ends all sessions; calls in flight reject. */
  async close(): Promise<void> {
    this.beginClosing();
    await Promise.all(this.#models.map(({ session }) => session.close()));
  }
}

/**
 * `model`, or `name=model` for a model that clients call by another name.
 *
 * Throws RangeError for a name that is no embedding model's.
 */
export function parseModelRequest(text: string): ModelRequest {
  const [, name, model] = /^(?![./~])([\w.:/-]+)=(.+)$/.exec(text) ?? [];
  const request = name === undefined || model === undefined ? { name: text, model: text } : { name, model };
  const reference = classifyModel(request.model);
  if (reference.kind === 'llm') {
    throw new RangeError(
      `${show(request.model)} is no embedding model: give a known name, a hub repository (owner/name) or a directory ` +
        '(./path). Language models are not served here; let clients speak to Ollama or llamafile directly',
    );
  }
  if (name !== undefined) return request;
  // A path says more about this machine than clients need.
  return reference.kind === 'directory'
    ? { name: lastPart(reference.directory), model: text }
    : { name: reference.name, model: text };
}

function lastPart(directory: string): string {
  return directory.split(/[/\\]/).findLast((part) => part !== '') ?? directory;
}
