/** What is scored, and what comes of it. */

/** Texts, and what each of them is scored against. */
export interface Pairs {
  readonly texts: readonly string[];
  /** The query of all of them, or each one's. */
  readonly queries: string | readonly string[];
}

/** What came of each pair, in their order. */
export interface Scores {
  readonly scores: Float32Array<ArrayBuffer>;
  /** Of each pair, special tokens counted. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Whether a pair's text was cut. */
  readonly truncated: readonly boolean[];
}
