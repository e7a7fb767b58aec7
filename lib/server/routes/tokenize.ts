/**
 * POST /tokenize: text-embeddings-inference's. The tokens of each text, nothing cut. `text` is what the vocabulary says;
 * `start` and `stop` are null, as that API allows: gteway's tokenizer does not keep where a token came from.
 */
import { RequestFailure } from '../failures.js';
import { plainTextsOf } from '../inputs.js';
import type { Route } from '../server-context.js';
import { objectSchema } from '../validation.js';

interface Body {
  readonly inputs: unknown;
  readonly add_special_tokens?: boolean;
  readonly model?: string | null;
}

const body = objectSchema(
  {
    inputs: {},
    add_special_tokens: { type: 'boolean' },
    prompt_name: { type: 'null' },
    model: { type: ['string', 'null'] },
  },
  ['inputs'],
);

/** A token is some 60 bytes of JSON, so that a body of 8 MiB could ask for an answer of hundreds. */
const mostTokens = 100_000;

interface Token {
  readonly id: number;
  readonly text: string;
  readonly special: boolean;
  readonly start: null;
  readonly stop: null;
}

export const tokenizeRoute: Route = (app, { models, options }) => {
  app.post<{ Body: Body }>('/tokenize', { schema: { body } }, (request) => {
    const { inputs, add_special_tokens: addSpecialTokens = true, model: name } = request.body;
    const { tokenizer, tokenIds } = models.find(name);
    let left = mostTokens;
    return plainTextsOf('inputs', inputs, options.maxBatch).map((text): Token[] => {
      const encodeOptions = { addSpecialTokens, maxTokens: Infinity };
      const { ids } = tokenizer.encode(text, encodeOptions);
      left -= ids.length;
      if (left < 0) {
        throw new RequestFailure(
          'too-many-texts',
          `inputs have more than the ${mostTokens} tokens that fit into an answer`,
        );
      }
      const last = ids.length - 1;
      return tokenizer.tokens(text, encodeOptions).map((token, i) => {
        const id = ids[i] ?? 0;
        const special = addSpecialTokens && (i === 0 || i === last) && tokenIds.isSpecial(id);
        return { id, text: token, special, start: null, stop: null };
      });
    });
  });
};
