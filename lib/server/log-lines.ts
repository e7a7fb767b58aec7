/**
 * Lines of the log on their way to stdout. A line that comes after a pause is written in the same turn of the event loop;
 * those that follow it within a tenth of a second are written together: one system call instead of one per request.
 */
const gatherMilliseconds = 100;

/** Written at once when so many characters wait. */
const gatherCharacters = 64 * 1024;

export class LogLines {
  readonly #write: (text: string) => void;
  #waiting = '';
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  /** @param write everything, before it returns or in order */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  write(line: string): void {
    this.#waiting += line;
    if (this.#waiting.length >= gatherCharacters) this.flush();
    else if (this.#timer === undefined) this.#immediate ??= setImmediate(() => this.#flushAndGather());
  }

  /** Writes what waits. What ends the process calls this; a process that is killed loses a tenth of a second. */
  flush(): void {
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    this.#write(text);
  }

  #flushAndGather(): void {
    this.#immediate = undefined;
    this.flush();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting !== '') this.#flushAndGather();
    }, gatherMilliseconds);
  }
}

/** Lines to stdout, all of them there when the process ends. */
export function stdoutLines(): LogLines {
  const lines = new LogLines((text) => void process.stdout.write(text));
  process.on('exit', () => lines.flush());
  return lines;
}

let second = NaN;
let upToSecond = '';

/** `time` as ISO 8601 has it, of which all but the milliseconds is kept for the rest of the second. */
export function isoTime(time: number): string {
  const now = Math.floor(time / 1000);
  if (now !== second) {
    second = now;
    upToSecond = new Date(now * 1000).toISOString().slice(0, -4);
  }
  return `${upToSecond}${String(time - now * 1000).padStart(3, '0')}Z`;
}
