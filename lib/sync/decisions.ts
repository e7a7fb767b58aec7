/** What a worker decides about jobs, without a database: the same code runs in workers and in the simulation. */
import { isGtewayError } from '../errors.js';
import type { ClaimLimits, Job, Outcome, Source } from './store.js';

/** A job that was claimed so often without an end has ended its workers: it is not tried again. */
export const mostAttempts = 5;

/** From this attempt on a job is claimed alone: whatever it does, it does to no other. */
export const attemptsInCompany = 2;

export interface ToEmbed {
  readonly id: string;
  readonly text: string;
  readonly hash: string;
}

export interface Sorted {
  readonly embed: readonly ToEmbed[];
  /** Of the jobs that need no embedding. */
  readonly outcomes: readonly Outcome[];
}

/** Tells the jobs that need embedding from those whose end is known. */
export function sortJobs(jobs: readonly Job[], sources: readonly Source[]): Sorted {
  const attempts = new Map(jobs.map((job) => [job.id, job.attempts]));
  const embed: ToEmbed[] = [];
  const outcomes: Outcome[] = [];
  for (const { id, row } of sources) {
    const tried = (attempts.get(id) ?? 1) - 1;
    if (row === undefined || row.isCurrent) outcomes.push({ kind: 'settled', id });
    else if (row.text === '') outcomes.push({ kind: 'write', id, hash: row.hash, made: undefined });
    else if (tried >= mostAttempts) {
      const reason = `given up: ${tried} workers took it, and none came back with a vector or a reason`;
      outcomes.push({ kind: 'fail', id, hash: row.hash, reason });
    } else embed.push({ id, text: row.text, hash: row.hash });
  }
  return { embed, outcomes };
}

/** Failures that a text has by itself, and will have again. */
export function isTextsFault(error: unknown): boolean {
  return isGtewayError(error, 'ERR_TEXT_TOO_LONG') || isGtewayError(error, 'ERR_INFERENCE_FAILED');
}

/** Seconds until a job that failed for no fault of its text is tried again. */
export function retryDelay(attempts: number): number {
  return Math.min(300, 2 ** attempts);
}

export function outcomeOfError(job: Job, hash: string, error: unknown): Outcome {
  const reason = error instanceof Error ? error.message : String(error);
  const { id, attempts } = job;
  if (isTextsFault(error) || attempts >= mostAttempts) return { kind: 'fail', id, hash, reason };
  return { kind: 'release', id, delay: retryDelay(attempts), undo: false, reason };
}

/** Far more than a batch of any model; what is claimed is also lost for a lease when the worker dies. */
const mostRows = 1000;
const mostBytes = 16 * 2 ** 20;

/** Turns a number of tokens into limits of a claim, by what the texts so far had. */
export class BatchSize {
  readonly #tokens: number;
  #rows = 0;
  #bytes = 0;
  #counted = 0;

  /** `tokens`: how many a batch should have. */
  constructor(tokens: number) {
    this.#tokens = tokens;
  }

  /** Tells what a batch had; old ones count less and less. */
  saw(rows: number, bytes: number, tokens: number): void {
    const keep = 0.8;
    this.#rows = this.#rows * keep + rows;
    this.#bytes = this.#bytes * keep + bytes;
    this.#counted = this.#counted * keep + tokens;
  }

  limits(): ClaimLimits {
    // Before anything was seen: a text of English has a token per four or five bytes.
    const bytesPerToken = this.#counted === 0 ? 4 : this.#bytes / this.#counted;
    const rowsPerToken = this.#counted === 0 ? 1 / 16 : this.#rows / this.#counted;
    return {
      rows: clamp(Math.ceil(this.#tokens * rowsPerToken), 1, mostRows),
      bytes: clamp(Math.ceil(this.#tokens * bytesPerToken), 1, mostBytes),
    };
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
