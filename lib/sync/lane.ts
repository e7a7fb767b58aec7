/**
 * One lane of a worker: claim a batch, read its texts, embed them, write. It knows no database and no clock but what it is
 * given, and a lane that dies between any two of its steps has lost nothing: its jobs come back when their lease ends.
 */
import { BatchSize, outcomeOfError, sortJobs, type ToEmbed } from './decisions.js';
import type { Claim, FinishCounts, Made, Outcome, Store } from './store.js';

/** What was made of each text or its error, and how many tokens there were. */
export interface Embedded {
  readonly results: readonly (Made | Error)[];
  readonly tokens: number;
}

export type Embed = (texts: readonly string[]) => Promise<Embedded>;

export interface LaneParts {
  readonly store: Store;
  readonly embed: Embed;
  readonly size: BatchSize;
  /** Claims that are to be kept alive while they are worked on. */
  readonly held: Set<Claim>;
  /** Asked between the steps: whether to give back what is not embedded yet. */
  readonly isStopping: () => boolean;
}

export interface BatchReport extends FinishCounts {
  readonly tokens: number;
  readonly failures: readonly { readonly id: string; readonly reason: string }[];
}

/** Works on one batch. Undefined where nothing was due. Rejects with what the store rejects with. */
export async function workOnBatch({
  store,
  embed,
  size,
  held,
  isStopping,
}: LaneParts): Promise<BatchReport | undefined> {
  const claim = await store.claim(size.limits());
  if (claim === undefined) return undefined;
  held.add(claim);
  try {
    const { embed: texts, outcomes } = sortJobs(claim.jobs, await store.read(claim));
    const ends = isStopping() ? giveBack(texts) : await embedAll(claim, texts, embed, size);
    const all = [...outcomes, ...ends.outcomes];
    const counts = await store.finish(claim, all);
    const failures = all.flatMap((outcome) => (outcome.kind === 'fail' ? [outcome] : []));
    return { ...counts, tokens: ends.tokens, failures };
  } finally {
    held.delete(claim);
  }
}

interface Ends {
  readonly outcomes: readonly Outcome[];
  readonly tokens: number;
}

function giveBack(texts: readonly ToEmbed[]): Ends {
  return { outcomes: texts.map(({ id }) => ({ kind: 'release', id, delay: 0, undo: true })), tokens: 0 };
}

async function embedAll(claim: Claim, texts: readonly ToEmbed[], embed: Embed, size: BatchSize): Promise<Ends> {
  if (texts.length === 0) return { outcomes: [], tokens: 0 };
  const jobs = new Map(claim.jobs.map((job) => [job.id, job]));
  const failed = ({ id, hash }: ToEmbed, error: unknown): Outcome =>
    outcomeOfError(jobs.get(id) ?? { id, attempts: 1 }, hash, error);
  let embedded: Embedded;
  try {
    embedded = await embed(texts.map(({ text }) => text));
  } catch (error) {
    return { outcomes: texts.map((text) => failed(text, error)), tokens: 0 };
  }
  size.saw(
    texts.length,
    texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
    embedded.tokens,
  );
  const outcomes = texts.map((text, i): Outcome => {
    const made = embedded.results[i];
    if (made === undefined || made instanceof Error) return failed(text, made);
    return { kind: 'write', id: text.id, hash: text.hash, made };
  });
  return { outcomes, tokens: embedded.tokens };
}
