/** A session with an embedding model: turns calls into native ones, a slice each, and their rows into one array. */
import type { NativeEmbedded } from '../../types/binding.js';
import type { SessionInfo } from '../engines/session-info.js';
import { type EmbeddingSessionOptions, fillSessionOptions } from '../engines/session-options.js';
import { type ErrorCode, GtewayError } from '../errors.js';
import { Embeddings } from '../vectors/embeddings.js';
import { embedList } from './embed-list.js';
import { checkEmbedOptions, checkTexts, type EmbedOptions } from './embed-options.js';
import { type CallState, ModelSession } from './model-session.js';
import { type Prompt, promptText } from './prompt.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { describeEmbed, type EmbedTrace, traceEmbed } from './tracing.js';

export class EmbeddingSession extends ModelSession<'embedding'> {
  /** Throws TypeError or RangeError for options that are unknown or malformed. Everything else comes out of ready(). */
  constructor(model: string, options: EmbeddingSessionOptions) {
    super(model, fillSessionOptions(options), 'embedding', 'session');
  }

  /** `operation` is what tracing tools are told was called. */
  async embed(
    texts: string | readonly string[],
    options: EmbedOptions = {},
    operation: EmbedTrace['operation'] = 'embed',
  ): Promise<Embeddings> {
    const list = checkTexts(`session.${operation}()`, texts);
    checkEmbedOptions(`session.${operation}()`, options);
    return this.#traced(operation, list, options, false);
  }

  /** For a slice of a stream, whose texts and options are checked: a full queue is waited for. */
  async embedWhenRoom(list: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    return this.#traced('embedStream', list, options, true);
  }

  /**
   * The model's tokenizer, for a call with these texts, and how many tokens its prompt has: it counts as waiting until the
   * model is loaded, as `embed` does. Throws why loading failed, or ERR_CLOSED.
   */
  async tokenizerFor(
    texts: readonly string[],
    { prompt, signal }: Pick<EmbedOptions, 'prompt' | 'signal'>,
  ): Promise<{ tokenizer: Tokenizer; promptTokens: number }> {
    return this.whenLoaded({ texts, wait: false }, { signal }, (info, { tokenizer }) => {
      const before = promptText(prompt, info);
      return Promise.resolve({ tokenizer, promptTokens: tokenizer.count(before, { addSpecialTokens: false }) });
    });
  }

  #traced(
    operation: EmbedTrace['operation'],
    list: readonly string[],
    options: EmbedOptions,
    wait: boolean,
  ): Promise<Embeddings> {
    return traceEmbed(
      () => describeEmbed(operation, this.model, this.infoIfLoaded, list, options),
      () =>
        this.whenLoaded(
          { texts: list, moreBytes: list.length * givenBytes(options.prompt), wait },
          options,
          (info, call) => this.#embedNatively(info, list, options, wait, call),
        ),
    );
  }

  async #embedNatively(
    info: SessionInfo,
    list: readonly string[],
    options: EmbedOptions,
    wait: boolean,
    { ended, native }: CallState,
  ): Promise<Embeddings> {
    const { pooling = info.pooling, normalize = true, truncate = true, onError = 'throw' } = options;
    const dimensions = options.dimensions ?? info.dimensions;
    if (dimensions > info.dimensions) {
      throw new RangeError(`dimensions: ${dimensions} is more than the ${info.dimensions} that ${info.model} has`);
    }
    // Part of the text from here on, so that a cache, and whoever shares a computation, cannot mistake one for another.
    const prompt = promptText(options.prompt, info);
    const prompted = (texts: readonly string[]): readonly string[] =>
      prompt === '' ? texts : texts.map((text) => prompt + text);
    const embedSlice = (texts: readonly string[], waitForRoom: boolean): Promise<NativeEmbedded> =>
      native((session, number) =>
        session.embed(
          number,
          prompted(texts),
          pooling,
          normalize,
          truncate,
          info.maxTokens,
          dimensions,
          waitForRoom,
          true,
        ),
      );
    const result = await embedList(list, embedSlice, {
      dimensions,
      isRowPerText: pooling !== 'none',
      wait,
      stopAtError: onError === 'throw',
      ended,
      bounds: this.sliceBounds,
      before: prompt.length,
    });
    return toEmbeddings(result, dimensions, pooling !== 'none', onError);
  }
}

/** Of a prompt that is known before the model is. */
function givenBytes(prompt: Prompt | undefined): number {
  return typeof prompt === 'object' ? Buffer.byteLength(prompt.text) : 0;
}

/** Throws the first of the texts' errors, unless the call goes on. */
function toEmbeddings(
  { data, tokens, truncated, errors }: NativeEmbedded,
  dimensions: number,
  isRowPerText: boolean,
  onError: 'throw' | 'continue',
): Embeddings {
  const failures = new Map<number, GtewayError>();
  for (const { index, code, message } of errors) {
    const error = new GtewayError(code as ErrorCode, message, { details: { index } });
    if (onError === 'throw') throw error;
    failures.set(index, error);
    // Natively zeros, which would pass for a vector that is like nothing.
    if (isRowPerText) data.fill(NaN, index * dimensions, (index + 1) * dimensions);
  }
  return new Embeddings(data, dimensions, tokens, Array.from(truncated, Boolean), failures);
}
