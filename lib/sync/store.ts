/** What a worker asks of the database: small enough that tests have a second one, in memory, which they interleave. */

/** Which jobs a claim takes at most. */
export interface ClaimLimits {
  readonly rows: number;
  /** Of text; the first job is taken however long its text is. */
  readonly bytes: number;
}

export interface Job {
  readonly id: string;
  /** How often it was claimed, this time counted. */
  readonly attempts: number;
}

/** Jobs that this worker holds until its lease ends: a token says which. */
export interface Claim {
  readonly token: string;
  readonly jobs: readonly Job[];
}

/** The row behind a job, as it is now. */
export interface Source {
  readonly id: string;
  /** Undefined where the row is gone. */
  readonly row: { readonly text: string; readonly hash: string; readonly isCurrent: boolean } | undefined;
}

/** A part of a row's text, and its vector. */
export interface ChunkVector {
  readonly text: string;
  /** UTF-16 offsets into the row's text. */
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  readonly vector: Float32Array;
}

/** What is made of a text that is not empty: a vector for the column, or the rows of the table of chunks. */
export type Made = Float32Array | readonly ChunkVector[];

/** What became of a job. */
export type Outcome =
  /** `made`: undefined for a text that is empty. `hash`, here and below: of the text that this is about. */
  | { readonly kind: 'write'; readonly id: string; readonly hash: string; readonly made: Made | undefined }
  /** The row is gone, or has its vector: nothing to do, if that is still so. */
  | { readonly kind: 'settled'; readonly id: string }
  | { readonly kind: 'fail'; readonly id: string; readonly hash: string; readonly reason: string }
  /** For another try after so many seconds. `undo`: this try does not count. */
  | {
      readonly kind: 'release';
      readonly id: string;
      readonly delay: number;
      readonly undo: boolean;
      readonly reason?: string;
    };

/** How many jobs ended which way; the rest of a claim was no longer this worker's. */
export interface FinishCounts {
  readonly written: number;
  readonly settled: number;
  readonly failed: number;
  /** To be done again: released, or changed or locked while they were embedded. */
  readonly released: number;
  readonly lost: number;
}

export interface Store {
  /** Takes the jobs that are due, oldest first, changes before backfill. Undefined where there are none. */
  claim(limits: ClaimLimits): Promise<Claim | undefined>;
  read(claim: Claim): Promise<readonly Source[]>;
  /** One or more transactions, each all or nothing. May be repeated when an answer was lost. */
  finish(claim: Claim, outcomes: readonly Outcome[]): Promise<FinishCounts>;
  /** Begins the lease anew. Returns how many jobs are still held. */
  extend(claim: Claim): Promise<number>;
}
