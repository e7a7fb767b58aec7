/** The processes of a run: the server that is measured, and helpers that are asked one question at a time. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @typedef {{ url: string, pid: number, stop: () => Promise<number | null> }} RunningServer
 */

/**
 * `gteway serve`, ready.
 *
 * @param {string} model
 * @param {string[]} [args]
 * @param {string} [checkout] built
 * @returns {Promise<RunningServer>}
 */
export async function startGteway(model, args = [], checkout = here) {
  const main = join(checkout, 'dist/cli/main.js');
  const child = spawn(process.execPath, [main, 'serve', '--model', model, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (data) => {
      // Once it is ready, lines of the log are only read so that the pipe does not fill.
      if (text === undefined) return;
      text += data;
      const ready = /"url":"([^"]+)".*"msg":"ready"/.exec(text);
      if (ready === null) return;
      text = undefined;
      resolve(ready[1]);
    });
    child.once('exit', (code) => reject(new Error(`gteway serve ended with ${code}`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    return code;
  };
  return { url, pid: child.pid ?? 0, stop };
}

/**
 * Asks a program of this folder, in a process of its own, and ends it.
 *
 * @param {string} file
 * @param {object} question
 * @returns {Promise<any>}
 */
export async function askProcess(file, question) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)));
  const answer = new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  child.send(question);
  const result = await answer;
  child.kill();
  return result;
}

/** A program of this folder in a process of its own, asked one question after the other. */
export class Helper {
  #child;
  #ended;

  /** @param {string} file */
  constructor(file) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)));
    this.#ended = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`a helper of the bench ended with ${code}`);
    });
    this.#ended.catch(() => undefined);
  }

  /**
   * @param {object} question
   * @returns {Promise<any>}
   */
  async ask(question) {
    const answer = once(this.#child, 'message');
    this.#child.send(question);
    const [result] = await Promise.race([answer, this.#ended]);
    return result;
  }

  end() {
    this.#child.kill();
  }
}
