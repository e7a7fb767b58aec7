/**
 * Ends what has fallen silent. Undici's own timeouts would do on Node, but its agent does nothing under Bun, and under
 * Deno it may not notice that a connection is gone.
 */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  readonly #parent: AbortSignal | undefined;
  readonly #onParentAbort = () => this.#controller.abort(this.#parent?.reason);
  #timer: NodeJS.Timeout | undefined;

  /** Starts counting. Also ends when `parent` fires. */
  constructor(timeoutMs: number, parent?: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.#parent = parent;
    if (parent?.aborted) this.#onParentAbort();
    else parent?.addEventListener('abort', this.#onParentAbort, { once: true });
    this.feed();
  }

  /** Fires with an ETIMEDOUT error after the silence, or with the parent's reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** There was a sign of life: counts anew. */
  feed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const silence = new Error(`nothing came for ${this.#timeoutMs} ms`);
      this.#controller.abort(Object.assign(silence, { code: 'ETIMEDOUT' }));
    }, this.#timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener('abort', this.#onParentAbort);
  }
}
