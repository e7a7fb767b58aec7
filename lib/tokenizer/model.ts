/** The `model` of a tokenizer.json: WordPiece, Unigram or BPE, with its vocabulary. */
import type { NativeTokenizerConfig } from '../../types/binding.js';
import { type Json, type JsonFields, maxInt32 } from './json-fields.js';

type Model = Pick<
  NativeTokenizerConfig,
  | 'model'
  | 'vocabularyTokens'
  | 'vocabularyIds'
  | 'unkToken'
  | 'continuingSubwordPrefix'
  | 'maxInputCharsPerWord'
  | 'scores'
  | 'unkId'
  | 'merges'
  | 'endOfWordSuffix'
  | 'fuseUnk'
  | 'ignoreMerges'
  | 'byteFallback'
>;

/** What the kinds do not share. */
const nothing = {
  unkToken: '',
  continuingSubwordPrefix: '',
  maxInputCharsPerWord: 0,
  scores: new Float64Array(),
  unkId: -1,
  merges: new Int32Array(),
  endOfWordSuffix: '',
  fuseUnk: false,
  ignoreMerges: false,
  byteFallback: false,
};

export function readModel(value: unknown, fields: JsonFields): Model {
  const model = fields.object(value, 'model');
  // Files of before 0.11 leave the model's type out; its fields tell it.
  const type = model.type ?? guessed(model);
  switch (type) {
    case 'WordPiece':
      return readWordPiece(model, fields);
    case 'Unigram':
      return readUnigram(model, fields);
    case 'BPE':
      return readBpe(model, fields);
    default:
      throw fields.unsupported('model', type);
  }
}

function guessed(model: Json): string | undefined {
  if ('merges' in model) return 'BPE';
  if (Array.isArray(model.vocab)) return 'Unigram';
  return 'continuing_subword_prefix' in model ? 'WordPiece' : undefined;
}

function readVocabulary(vocab: Json, fields: JsonFields) {
  const vocabularyTokens = Object.keys(vocab);
  const vocabularyIds = new Int32Array(vocabularyTokens.length);
  vocabularyTokens.forEach((token, i) => {
    vocabularyIds[i] = fields.id(vocab[token], `model.vocab[${JSON.stringify(token)}]`);
  });
  return { vocabularyTokens, vocabularyIds };
}

function readWordPiece(model: Json, fields: JsonFields): Model {
  const vocab = fields.object(model.vocab, 'model.vocab');
  const unkToken = fields.string(model.unk_token, 'model.unk_token');
  const vocabulary = readVocabulary(vocab, fields);
  if (!Object.hasOwn(vocab, unkToken))
    throw fields.invalid('model.unk_token', `${JSON.stringify(unkToken)}, which is not in the vocabulary`);
  return {
    ...nothing,
    model: 'WordPiece',
    ...vocabulary,
    unkToken,
    continuingSubwordPrefix: fields.string(model.continuing_subword_prefix ?? '##', 'model.continuing_subword_prefix'),
    // The reference counts in 64 bits; no text has more characters than this.
    maxInputCharsPerWord: Math.min(
      fields.count(model.max_input_chars_per_word ?? 100, 'model.max_input_chars_per_word'),
      maxInt32,
    ),
  };
}

function readUnigram(model: Json, fields: JsonFields): Model {
  const vocab = fields.array(model.vocab, 'model.vocab');
  const vocabularyTokens: string[] = [];
  const scores = new Float64Array(vocab.length);
  vocab.forEach((entry, i) => {
    const [token, score] = fields.array(entry, `model.vocab[${i}]`);
    vocabularyTokens.push(fields.string(token, `model.vocab[${i}][0]`));
    if (typeof score !== 'number') throw fields.invalid(`model.vocab[${i}][1]`, 'not a number');
    scores[i] = score;
  });
  if (model.unk_id === undefined || model.unk_id === null) throw fields.unsupported('model', 'Unigram without unk_id');
  const unkId = fields.id(model.unk_id, 'model.unk_id');
  if (unkId >= vocab.length) throw fields.invalid('model.unk_id', `${unkId}, beyond the vocabulary of ${vocab.length}`);
  return {
    ...nothing,
    model: 'Unigram',
    vocabularyTokens,
    vocabularyIds: Int32Array.from(vocab, (_, i) => i),
    scores,
    unkId,
    unkToken: vocabularyTokens[unkId] ?? '',
    byteFallback: fields.boolean(model.byte_fallback ?? false, 'model.byte_fallback'),
  };
}

function readBpe(model: Json, fields: JsonFields): Model {
  if (model.dropout !== undefined && model.dropout !== null && model.dropout !== 0)
    throw fields.unsupported('model', 'BPE with dropout, whose ids are random');
  const vocab = fields.object(model.vocab, 'model.vocab');
  const text = (name: string) => fields.string(model[name] ?? '', `model.${name}`);
  const flag = (name: string) => fields.boolean(model[name] ?? false, `model.${name}`);
  const unkToken = text('unk_token');
  if (unkToken !== '' && !Object.hasOwn(vocab, unkToken))
    throw fields.invalid('model.unk_token', `${JSON.stringify(unkToken)}, which is not in the vocabulary`);
  const continuingSubwordPrefix = text('continuing_subword_prefix');
  return {
    ...nothing,
    model: 'BPE',
    ...readVocabulary(vocab, fields),
    unkToken,
    continuingSubwordPrefix,
    endOfWordSuffix: text('end_of_word_suffix'),
    merges: readMerges(model.merges, new Map(Object.entries(vocab)), continuingSubwordPrefix, fields),
    fuseUnk: flag('fuse_unk'),
    ignoreMerges: flag('ignore_merges'),
    byteFallback: flag('byte_fallback'),
  };
}

/** `"a b"`, or since 0.20 `["a", "b"]`, best first. */
function readMerges(value: unknown, ids: ReadonlyMap<string, unknown>, prefix: string, fields: JsonFields): Int32Array {
  const merges = fields.array(value, 'model.merges');
  const triples = new Int32Array(merges.length * 3);
  merges.forEach((merge, i) => {
    const where = `model.merges[${i}]`;
    const pair = typeof merge === 'string' ? merge.split(' ') : fields.array(merge, where);
    if (pair.length !== 2) throw fields.invalid(where, `${JSON.stringify(merge)}, not two tokens`);
    const left = fields.string(pair[0], where);
    const right = fields.string(pair[1], where);
    [left, right, left + right.slice(prefix.length)].forEach((token, k) => {
      const id = ids.get(token);
      if (id === undefined) throw fields.invalid(where, `of ${JSON.stringify(token)}, which is not in the vocabulary`);
      triples[i * 3 + k] = id as number;
    });
  });
  return triples;
}
