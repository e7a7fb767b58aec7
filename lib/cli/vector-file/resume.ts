/**
 * Going on where an interrupted `gteway embed` stopped: whether it is the same run, which texts to pass over, and how far
 * this one has come, for the next.
 */
import type { EmbedOptions } from '../../embedding/embed-options.js';
import type { SliceSource } from '../../embedding/embed-slices.js';
import type { Session } from '../../session.js';
import { CommandError, note } from '../failure.js';
import { type Checkpoint, checkSameRun, itemsOf, type Journal, journalVersion, type Settings } from './journal.js';
import type { PartialOutput } from './partial-output.js';
import { TextHash } from './text-hash.js';
import type { TruncationReport } from '../truncation-report.js';

type Texts = readonly (string | Error)[];
type Identify = (texts: readonly string[]) => readonly string[];

/**
 * Often enough that little is lost, rarely enough that waiting for the disk costs nothing. The first rows are made safe at
 * once: a disk may be full before half a second has passed, and has no room for a first journal then.
 */
const checkpointEveryMs = 500;

const nothingDone: Checkpoint = { texts: 0, bytes: 0, textHash: '', cut: 0, firstCut: 0 };

/** A run of `gteway embed` into a file, with its place in the work. */
export class ResumableRun {
  readonly #output: PartialOutput;
  readonly #name: string;
  readonly #settings: Settings;
  readonly #probe: readonly number[];
  readonly #hash = new TextHash();
  /** Where this run begins. */
  readonly begin: Checkpoint;
  #lastCheckpoint = -Infinity;

  private constructor(output: PartialOutput, name: string, settings: Settings, probe: readonly number[]) {
    this.#output = output;
    this.#name = name;
    this.#settings = settings;
    this.#probe = probe;
    this.begin = output.journal?.checkpoint ?? nothingDone;
  }

  /**
   * @param name of the output, for messages
   * @param settings everything the rows depend on, but texts and weights
   * Throws CommandError where the output holds the rows of another run.
   */
  static async open(
    output: PartialOutput,
    name: string,
    session: Session,
    options: EmbedOptions,
    settings: Settings,
  ): Promise<ResumableRun> {
    const probe = await probeOf(session, options);
    if (output.journal !== undefined) checkSameRun(output.journal, settings, probe, name);
    return new ResumableRun(output, name, settings, probe);
  }

  /**
   * The texts that are still to be done. Throws CommandError where the others are not those that were embedded. From here
   * on the output may be written to: what is behind the last checkpoint is cut off.
   * @param identify what to know texts that were passed over by; told once of each, in order
   */
  async remaining(source: SliceSource, identify: Identify = (texts) => texts): Promise<SliceSource> {
    const { texts: done, bytes } = this.begin;
    let rest: Texts | undefined;
    try {
      rest = await this.#passOver(source, identify);
    } catch (error) {
      await source.close();
      throw error;
    }
    if (done > 0) note(`${done.toLocaleString('en')} ${this.#items} are done already; going on behind them`);
    await this.#output.begin(bytes);
    return {
      ...source,
      async next() {
        const first = rest;
        rest = undefined;
        return first ?? source.next();
      },
    };
  }

  /** Reads the texts that are done. Returns those that came together with the last of them. */
  async #passOver(source: SliceSource, identify: Identify): Promise<Texts | undefined> {
    const { texts: done, textHash } = this.begin;
    let rest: Texts = [];
    while (this.#hash.count < done) {
      const group = (await source.next()) as readonly string[] | undefined;
      if (group === undefined) {
        throw this.#refusal(
          `the input has ${this.#hash.count} ${this.#items}, fewer than the ${done} that were embedded`,
        );
      }
      const count = Math.min(group.length, done - this.#hash.count);
      this.#hash.add(identify(group.slice(0, count)));
      rest = group.slice(count);
    }
    if (done > 0 && this.#hash.digest() !== textHash) {
      throw this.#refusal(`the first ${done} ${this.#items} of the input are not the ones that were embedded`);
    }
    return rest.length === 0 ? undefined : rest;
  }

  /** To be called when the rows of the texts that follow have been written, with what they are known by. */
  async wrote(texts: readonly string[], truncation: TruncationReport): Promise<void> {
    this.#hash.add(texts);
    if (performance.now() - this.#lastCheckpoint < checkpointEveryMs) return;
    const journal: Journal = {
      journal: journalVersion,
      settings: this.#settings,
      probe: this.#probe,
      checkpoint: {
        texts: this.#hash.count,
        bytes: this.#output.bytesWritten,
        textHash: this.#hash.digest(),
        cut: truncation.cut,
        firstCut: truncation.first,
      },
    };
    await this.#output.checkpoint(journal);
    this.#lastCheckpoint = performance.now();
  }

  get #items(): string {
    return itemsOf(this.#settings);
  }

  #refusal(what: string): CommandError {
    return new CommandError(
      `cannot resume ${this.#name}: ${what}. Give it the same input, or run without --resume to start over`,
    );
  }
}

/** Every token of a few common words: pooling and cutting as the run itself has them. */
async function probeOf(session: Session, options: EmbedOptions): Promise<number[]> {
  const { data } = await session.embed('The same text in every run, to know the model by.', options);
  return Array.from(data, (value) => Number(value.toFixed(6)));
}
