// The declaration is a script, since it declares a global: it can only be referred to.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="../types/supabase.d.ts" preserve="true" />
/**
 * `import 'gteway/register'` installs `globalThis.Supabase.ai.Session`, so that the code of Supabase Edge Functions runs
 * unchanged in Node, Deno and Bun. Where the global is there already, as in the Edge runtime, it is replaced.
 */
import { classifyModel } from './models/classify.js';
import { Session, type SessionOptions } from './session.js';

const shared = new Map<string, EdgeSession>();

/**
 * Edge Functions make a session for each request and never close it. Here too that costs nothing: without options, an
 * embedding model has one session in the process, and each `new` gives that one. Closing it, or a failure to load it,
 * lets the next `new` make another.
 */
class EdgeSession<const Model extends string = string> extends Session<Model> {
  constructor(model: Model, options?: SessionOptions) {
    const isShared = options === undefined && classifyModel(model).kind !== 'llm';
    const existing = isShared ? shared.get(model) : undefined;
    if (existing !== undefined) return existing as unknown as EdgeSession<Model>;
    super(model, options);
    if (!isShared) return;
    shared.set(model, this as unknown as EdgeSession);
    // Whoever runs the session gets the reason of the failure; here it is only a reason to forget the session.
    this.ready().catch(() => this.#forget(model));
    this.#model = model;
  }

  #model: string | undefined;

  override async close(): Promise<void> {
    if (this.#model !== undefined) this.#forget(this.#model);
    await super.close();
  }

  #forget(model: string): void {
    if (shared.get(model) === (this as unknown)) shared.delete(model);
  }
}
Object.defineProperty(EdgeSession, 'name', { value: 'Session' });

function install(holder: object, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, configurable: true, enumerable: true, writable: true });
}

/** The object that `holder` has under `name`, made where it has none. */
function namespace(holder: object, name: string): object {
  const existing: unknown = (holder as Record<string, unknown>)[name];
  if (typeof existing === 'object' && existing !== null) return existing;
  const made = {};
  install(holder, name, made);
  return made;
}

install(namespace(namespace(globalThis, 'Supabase'), 'ai'), 'Session', EdgeSession);
