/** All models of a server: loading, readiness, and finding one by the name a client gave. */
import { classifyModel } from '../models/classify.js';
import { classifies } from '../models/config.js';
import { resolveTokenizer } from '../models/resolve.js';
import { nearestName } from '../arguments/known-names.js';
import type { EmbeddingSessionOptions } from '../engines/session-options.js';
import { show } from '../arguments/show.js';
import { RequestFailure } from './failures.js';
import type { HostedModel, ModelRequest } from './hosted-model.js';
import { ServedModel } from './served-model.js';
import { ServedReranker } from './served-reranker.js';

/** The two kinds of model, and what clients are told about the other kind. */
const kinds = {
  embedding: { noun: 'embedding model', article: 'an', route: '/embed' },
  reranking: { noun: 'reranker', article: 'a', route: '/rerank' },
} as const;

type Kind = keyof typeof kinds;

export class ServedModels {
  readonly #requests: readonly ModelRequest[];
  readonly #abort = new AbortController();
  #models: readonly HostedModel[] = [];
  readonly #byName = new Map<string, HostedModel>();
  #isClosing = false;

  constructor(requests: readonly ModelRequest[]) {
    this.#requests = requests;
  }

  /** Loads them one after the other, each with all threads. Rejects with the first failure. */
  async load(options: EmbeddingSessionOptions): Promise<void> {
    const models: HostedModel[] = [];
    try {
      for (const request of this.#requests) models.push(await loadModel(request, options, this.#abort.signal));
    } catch (error) {
      await Promise.all(models.map((model) => model.close()));
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
  get all(): readonly HostedModel[] {
    return this.#models;
  }

  /** Whether any request to models of this kind would be refused now, for want of room in their queues. */
  areFull(kind: Kind): boolean {
    const models = this.#models.filter((model) => model.kind === kind);
    return models.length > 0 && models.every(({ isFull }) => isFull);
  }

  /** Throws RequestFailure 'unavailable' while loading; requests in flight are served while closing. */
  assertLoaded(): void {
    if (this.#models.length > 0) return;
    throw new RequestFailure('unavailable', this.#isClosing ? 'the server is closing' : 'the model is being loaded');
  }

  /** The first one, of whatever kind. */
  get first(): HostedModel {
    this.assertLoaded();
    const [first] = this.#models;
    if (first === undefined) throw new RequestFailure('unavailable', 'the model is being loaded');
    return first;
  }

  /** The embedding model a client asks for; the first one where the API lets clients leave that open. */
  find(name: string | null | undefined): ServedModel {
    return this.#find(isEmbedder, 'embedding', name);
  }

  /** Likewise. */
  findReranker(name: string | null | undefined): ServedReranker {
    return this.#find(isReranker, 'reranking', name);
  }

  /** The model of that name, of whatever kind. */
  findAny(name: string | null | undefined): HostedModel {
    if (name === undefined || name === null) return this.first;
    this.assertLoaded();
    const found = this.#byName.get(name.toLowerCase());
    if (found !== undefined) return found;
    throw this.#unknown(name, 'model', this.#models);
  }

  #find<Model extends HostedModel>(
    isOne: (model: HostedModel) => model is Model,
    kind: Kind,
    name: string | null | undefined,
  ): Model {
    this.assertLoaded();
    const { noun, route } = kinds[kind];
    const candidates = this.#models.filter(isOne);
    const found = name === undefined || name === null ? candidates[0] : this.#byName.get(name.toLowerCase());
    if (found !== undefined && isOne(found)) return found;
    if (found !== undefined) {
      const other = kinds[found.kind];
      throw new RequestFailure(
        'unknown-model',
        `${show(found.name)} is ${other.article} ${other.noun}: POST ${other.route}`,
        {
          field: 'model',
        },
      );
    }
    if (candidates.length === 0) {
      throw new RequestFailure('unknown-model', `this server has no ${noun}, which ${route} needs`, { field: 'model' });
    }
    throw this.#unknown(name ?? '', noun, candidates);
  }

  #unknown(name: string, noun: string, candidates: readonly HostedModel[]): RequestFailure {
    const names = candidates.map((model) => model.name);
    const nearest = nearestName(name, names);
    const hint = nearest === undefined ? `it serves ${names.join(', ')}` : `did you mean ${show(nearest)}?`;
    return new RequestFailure('unknown-model', `this server has no ${noun} ${show(name)}; ${hint}`, { field: 'model' });
  }

  /** From now on the server is not ready, and what is still loading stops. */
  beginClosing(): void {
    this.#isClosing = true;
    if (this.#models.length === 0) this.#abort.abort();
  }

  /** Ends all sessions; calls in flight reject. */
  async close(): Promise<void> {
    this.beginClosing();
    await Promise.all(this.#models.map((model) => model.close()));
  }
}

function isEmbedder(model: HostedModel): model is ServedModel {
  return model.kind === 'embedding';
}

function isReranker(model: HostedModel): model is ServedReranker {
  return model.kind === 'reranking';
}

/** As the kind of model that its config.json says it is. */
async function loadModel(
  { name, model }: ModelRequest,
  options: EmbeddingSessionOptions,
  signal: AbortSignal,
): Promise<HostedModel> {
  const { cacheDir, offline } = options;
  const files = await resolveTokenizer(model, {
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(offline === undefined ? {} : { offline }),
    signal,
  });
  const kind = classifies(files.config) === true ? ServedReranker : ServedModel;
  return kind.load(name, files, options, signal);
}

/**
 * `model`, or `name=model` for a model that clients call by another name.
 *
 * Throws RangeError for a name that is neither an embedding model's nor a reranker's.
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
