/** A variant in a fresh process of its own, which stays until it is stopped. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url));

export class Contestant {
  #child;
  #nextId = 0;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #output = '';

  /**
   * @param {string} driver
   * @param {import('../drivers/driver.mjs').Variant} variant
   */
  constructor(driver, variant) {
    this.driver = driver;
    this.variant = variant;
    this.name = variant.name;
    this.#child = fork(worker, {
      serialization: 'advanced',
      env: { ...process.env, ...variant.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    // Libraries print while they load; it is shown only when the process fails.
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk) => (this.#output = (this.#output + chunk).slice(-4000)));
    }
    this.#child.on('message', (/** @type {{ id: number, result?: any, error?: string }} */ { id, result, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.#child.on('exit', (code, signal) => {
      const reason = new Error(`its process ended with ${signal ?? `code ${code}`}\n${this.#output}`.trim());
      for (const { reject } of this.#waiting.values()) reject(reason);
      this.#waiting.clear();
    });
  }

  /**
   * @param {{ modelDirectory: string, threads: number }} parameters
   * @returns {Promise<{ info: Record<string, unknown>, milliseconds: number, before: number, after: number }>}
   */
  load(parameters) {
    return this.#ask('load', { driver: this.driver, variant: this.variant, ...parameters });
  }

  /** @returns {Promise<{ data: Float32Array, dimensions: number }>} */
  embed(/** @type {string[]} */ texts, /** @type {'cls' | undefined} */ pooling = undefined) {
    return this.#ask('embed', { texts, pooling });
  }

  /** @returns {Promise<string | undefined>} what was found to be fastest; undefined where there is no choice */
  tune(/** @type {string[]} */ texts) {
    return this.#ask('tune', { texts });
  }

  /** @returns {Promise<number[]>} milliseconds of each call with one text */
  latencies(/** @type {string[]} */ texts, /** @type {number} */ seconds) {
    return this.#ask('latencies', { texts, seconds });
  }

  /**
   * @returns {Promise<{ seconds: number, times: number, vectors: import('../drivers/driver.mjs').Vectors }>} seconds for
   *   embedding all texts once
   */
  round(/** @type {string[]} */ texts, /** @type {number} */ seconds) {
    return this.#ask('round', { texts, seconds });
  }

  /** @returns {Promise<any>} what the experiment of that name in serving/experiments.mjs returns */
  experiment(/** @type {string} */ name, /** @type {object} */ parameters) {
    return this.#ask('experiment', { name, parameters });
  }

  /** @returns {Promise<number>} of all threads since the process began */
  processorSeconds() {
    return this.#ask('processorSeconds', {});
  }

  /** @returns {Promise<number>} */
  residentBytes() {
    return this.#ask('residentBytes', {});
  }

  /** @returns {Promise<number[]>} resident bytes after each cycle */
  cycle(/** @type {number} */ times, /** @type {string} */ text) {
    return this.#ask('cycle', { times, text });
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    await this.#ask('close', {}).catch(() => undefined);
    this.#child.kill();
    await gone;
  }

  /** Ends the process with whatever it is doing. */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  #ask(/** @type {string} */ request, /** @type {object} */ parameters) {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, request, parameters }, (error) => {
        if (!error) return;
        this.#waiting.delete(id);
        reject(new Error(`its process cannot be reached: ${error.message}\n${this.#output}`.trim()));
      });
    });
  }
}
