/**
 * POST /tokenize: text-embeddings-inference's. The tokens of each text, nothing cut, with the part of the text that each
 * stands for and its place in bytes. Special tokens have no place, and their own spelling. `token` is gteway's addition:
 * the vocabulary's spelling, which tells the pieces of a word.
 */
import { checkPromptName } from '../embedding.js';
import { RequestFailure } from '../failures.js';
import { plainTextsOf } from '../inputs.js';
import type { Route } from '../server-context.js';
import { objectSchema } from '../validation.js';

interface Body {
  readonly inputs: unknown;
  readonly add_special_tokens?: boolean;
  readonly prompt_name?: string | null;
  readonly model?: string | null;
}

const body = objectSchema(
  {
    inputs: {},
    add_special_tokens: { type: 'boolean' },
    prompt_name: { type: ['string', 'null'] },
    model: { type: ['string', 'null'] },
  },
  ['inputs'],
);

/** A token is some 60 bytes of JSON, so that a body of 8 MiB could ask for an answer of hundreds. */
const mostTokens = 100_000;

interface Token {
  readonly id: number;
  readonly text: string;
  readonly token: string;
  readonly special: boolean;
  readonly start: number | null;
  readonly stop: number | null;
}

export const tokenizeRoute: Route = (app, { models, options }) => {
  app.post<{ Body: Body }>('/tokenize', { schema: { body } }, (request) => {
    const { inputs, add_special_tokens: addSpecialTokens = true, prompt_name: promptName, model: name } = request.body;
    const { tokenizer, tokenIds, tokenSpans } = models.findAny(name);
    const prompt = typeof promptName === 'string' ? checkPromptName(models.find(name), promptName) : '';
    let left = mostTokens;
    return plainTextsOf('inputs', inputs, options.maxBatch).map((given): Token[] => {
      const text = prompt + given;
      const encodeOptions = { addSpecialTokens, maxTokens: Infinity };
      const { ids } = tokenizer.encode(text, encodeOptions);
      left -= ids.length;
      if (left < 0) {
        throw new RequestFailure(
          'too-many-texts',
          `inputs have more than the ${mostTokens} tokens that fit into an answer`,
        );
      }
      const tokens = tokenizer.tokens(text, encodeOptions);
      const last = ids.length - 1;
      const isSpecial = (i: number): boolean =>
        addSpecialTokens && (i === 0 || i === last) && tokenIds.isSpecial(ids[i] ?? -1);
      const spans = tokenSpans.of(
        text,
        tokens.filter((_, i) => !isSpecial(i)),
      );
      const bytes = Buffer.from(text);
      let place = 0;
      return tokens.map((token, i) => {
        const id = ids[i] ?? 0;
        const special = isSpecial(i);
        const span = special ? undefined : spans[place++];
        if (span === undefined) return { id, text: token, token, special, start: null, stop: null };
        return { id, text: bytes.toString('utf8', span.start, span.stop), token, special, ...span };
      });
    });
  });
};
