/** A session with a reranker: turns calls into native ones, a slice each, and logits into scores. */
import type { NativeEmbedded } from '../../types/binding.js';
import { embedList } from '../embedding/embed-list.js';
import { type CallState, ModelSession } from '../embedding/model-session.js';
import type { RerankerInfo } from '../engines/session-info.js';
import { type EmbeddingSessionOptions, fillSessionOptions } from '../engines/session-options.js';
import { type ErrorCode, GtewayError } from '../errors.js';
import type { ScoreOptions } from './rerank-options.js';
import type { Pairs, Scores } from './pairs.js';
import { describeRerank, type RerankTrace, traceRerank } from './tracing.js';

export class ScoringSession extends ModelSession<'reranking'> {
  /** Throws TypeError or RangeError for options that are unknown or malformed. Everything else comes out of ready(). */
  constructor(model: string, options: EmbeddingSessionOptions) {
    super(model, fillSessionOptions(options, 'new Reranker()'), 'reranking', 'reranker');
  }

  /** Pairs and options are checked. */
  async score(operation: RerankTrace['operation'], pairs: Pairs, options: ScoreOptions): Promise<Scores> {
    const { texts, queries } = pairs;
    const moreBytes = queryBytes(queries);
    return traceRerank(
      () => describeRerank(operation, this.model, this.infoIfLoaded, pairs, options),
      () =>
        this.whenLoaded({ texts, moreBytes, wait: false }, options, (info, call) =>
          this.#scoreNatively(info, pairs, options, call),
        ),
    );
  }

  async #scoreNatively(
    info: RerankerInfo,
    { texts, queries }: Pairs,
    { truncate = true, activation = info.activation }: ScoreOptions,
    { ended, native }: CallState,
  ): Promise<Scores> {
    const scoreSlice = (slice: readonly string[], wait: boolean, begin: number): Promise<NativeEmbedded> => {
      const { distinct, of } = distinctQueries(queries, begin, slice.length);
      return native((session, number) =>
        session.score(number, distinct, of, slice, truncate, info.maxTokens, 1, wait, true),
      );
    };
    const { data, tokens, truncated, errors } = await embedList(texts, scoreSlice, {
      dimensions: 1,
      isRowPerText: true,
      wait: false,
      stopAtError: true,
      ended,
      bounds: this.sliceBounds,
    });
    const [failed] = errors;
    if (failed !== undefined) {
      throw new GtewayError(failed.code as ErrorCode, failed.message, { details: { index: failed.index } });
    }
    const scores = activation === 'none' ? data : data.map((logit) => 1 / (1 + Math.exp(-logit)));
    return { scores, tokens, truncated: Array.from(truncated, Boolean) };
  }
}

/** Each query of a slice once, and which of them each text has; empty where all have the first. */
function distinctQueries(
  queries: Pairs['queries'],
  begin: number,
  count: number,
): { distinct: readonly string[]; of: Uint32Array } {
  if (typeof queries === 'string') return { distinct: [queries], of: new Uint32Array(0) };
  const places = new Map<string, number>();
  const of = Uint32Array.from({ length: count }, (_, i) => {
    const query = queries[begin + i] ?? '';
    const place = places.get(query) ?? places.size;
    places.set(query, place);
    return place;
  });
  return { distinct: [...places.keys()], of };
}

function queryBytes(queries: Pairs['queries']): number {
  if (typeof queries === 'string') return Buffer.byteLength(queries);
  return [...new Set(queries)].reduce((sum, query) => sum + Buffer.byteLength(query), 0);
}
