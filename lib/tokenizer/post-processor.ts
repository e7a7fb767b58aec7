/** The `post_processor` of a tokenizer.json: the special tokens around a text, and what becomes of two. */
import type { NativeTokenizerConfig } from '../../types/binding.js';
import { type Json, type JsonFields } from './json-fields.js';

type PostProcessor = Pick<NativeTokenizerConfig, 'prefixIds' | 'suffixIds' | 'pairIds' | 'pairTypeIds'>;

/** A special token's id, or one of the two texts, with its type id. */
interface Piece {
  readonly id: number;
  readonly type: number;
}

const firstText = -1;
const secondText = -2;

export function readPostProcessor(value: unknown, fields: JsonFields): PostProcessor {
  return readStage(value, 'post_processor', fields) ?? postProcessor([text(firstText, 0)], [firstOf(0), secondOf(1)]);
}

const text = (id: number, type: number): Piece => ({ id, type });
const firstOf = (type: number) => text(firstText, type);
const secondOf = (type: number) => text(secondText, type);

/** undefined: nothing is added. */
function readStage(value: unknown, where: string, fields: JsonFields): PostProcessor | undefined {
  if (value === undefined || value === null) return undefined;
  const processor = fields.object(value, where);
  switch (processor.type) {
    // It only moves the places of tokens, which nobody asks for.
    case 'ByteLevel':
      return undefined;
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const bert = processor.type === 'BertProcessing';
      const cls = { id: tokenAndId(processor.cls, `${where}.cls`, fields), type: 0 };
      const sep = { id: tokenAndId(processor.sep, `${where}.sep`, fields), type: 0 };
      return postProcessor(
        [cls, firstOf(0), sep],
        bert ? [cls, firstOf(0), sep, secondOf(1), { ...sep, type: 1 }] : [cls, firstOf(0), sep, sep, secondOf(0), sep],
      );
    }
    case 'TemplateProcessing': {
      const single = readTemplate(processor, 'single', where, fields);
      if (single.some(({ id }) => id === secondText))
        throw fields.invalid(`${where}.single`, 'a template with a second text, where a single text is "A"');
      const texts = single.filter(({ id }) => id < 0).length;
      if (texts === 0)
        throw fields.invalid(`${where}.single`, 'a template without the text, { "Sequence": { "id": "A" } }');
      if (texts > 1) throw fields.unsupported('post_processor', 'TemplateProcessing that repeats the text');
      return postProcessor(single, readTemplate(processor, 'pair', where, fields));
    }
    case 'Sequence': {
      const stages = fields
        .array(processor.processors, `${where}.processors`)
        .map((each, i) => readStage(each, `${where}.processors[${i}]`, fields))
        .filter((each) => each !== undefined);
      if (stages.length > 1) throw fields.unsupported('post_processor', 'Sequence of several that add tokens');
      return stages[0];
    }
    default:
      throw fields.unsupported('post_processor', processor.type);
  }
}

function readTemplate(processor: Json, form: 'single' | 'pair', of: string, fields: JsonFields): Piece[] {
  const special = fields.object(processor.special_tokens ?? {}, `${of}.special_tokens`);
  return fields.array(processor[form] ?? [], `${of}.${form}`).flatMap((value, i) => {
    const where = `${of}.${form}[${i}]`;
    const piece = fields.object(value, where);
    if ('Sequence' in piece) {
      const { id, type_id: type } = fields.object(piece.Sequence, `${where}.Sequence`);
      if (id !== 'A' && id !== 'B')
        throw fields.invalid(`${where}.Sequence.id`, `${JSON.stringify(id)}, not "A" or "B"`);
      return [text(id === 'A' ? firstText : secondText, fields.id(type ?? 0, `${where}.Sequence.type_id`))];
    }
    const { id, type_id: type } = fields.object(piece.SpecialToken, `${where}.SpecialToken`);
    const name = fields.string(id, `${where}.SpecialToken.id`);
    if (!Object.hasOwn(special, name))
      throw fields.invalid(where, `the special token ${JSON.stringify(name)}, which ${of}.special_tokens lacks`);
    const at = `${of}.special_tokens[${JSON.stringify(name)}]`;
    return fields.array(fields.object(special[name], at).ids, `${at}.ids`).map((each, k) => ({
      id: fields.id(each, `${at}.ids[${k}]`),
      type: fields.id(type ?? 0, `${where}.SpecialToken.type_id`),
    }));
  });
}

function postProcessor(single: readonly Piece[], pair: readonly Piece[]): PostProcessor {
  const at = single.findIndex(({ id }) => id < 0);
  const ids = (pieces: readonly Piece[]) => Int32Array.from(pieces, ({ id }) => id);
  // A template of another shape serves single texts; pairs are refused when they are asked for.
  const texts = pair.filter(({ id }) => id < 0);
  const usable = texts.length === 2 && texts[0]?.id === firstText && texts[1]?.id === secondText ? pair : [];
  return {
    prefixIds: ids(single.slice(0, at)),
    suffixIds: ids(single.slice(at + 1)),
    pairIds: ids(usable),
    pairTypeIds: Int32Array.from(usable, ({ type }) => type),
  };
}

/** `["[SEP]", 102]`, as BertProcessing writes its tokens. */
function tokenAndId(value: unknown, where: string, fields: JsonFields): number {
  const pair = fields.array(value, where);
  if (pair.length !== 2) throw fields.invalid(where, `${JSON.stringify(value)}; expected a token and its id`);
  fields.string(pair[0], `${where}[0]`);
  return fields.id(pair[1], `${where}[1]`);
}
