/** The `normalizer` of a tokenizer.json, as a list of steps. */
import type { NativeNormalizer } from '../../types/binding.js';
import type { JsonFields } from './json-fields.js';
import { literal, readPattern, simpleRegex } from './pattern.js';

export function readNormalizer(value: unknown, fields: JsonFields, where = 'normalizer'): NativeNormalizer[] {
  if (value === undefined || value === null) return [];
  const normalizer = fields.object(value, where);
  const { type } = normalizer;
  switch (type) {
    case 'Sequence':
      return fields
        .array(normalizer.normalizers, `${where}.normalizers`)
        .flatMap((each, i) => readNormalizer(each, fields, `${where}.normalizers[${i}]`));
    case 'BertNormalizer': {
      const lowercase = fields.boolean(normalizer.lowercase ?? true, `${where}.lowercase`);
      return [
        {
          type,
          cleanText: fields.boolean(normalizer.clean_text ?? true, `${where}.clean_text`),
          handleChineseChars: fields.boolean(normalizer.handle_chinese_chars ?? true, `${where}.handle_chinese_chars`),
          // Left open, accents go when the case goes, as in the original BERT.
          stripAccents: fields.boolean(normalizer.strip_accents ?? lowercase, `${where}.strip_accents`),
          lowercase,
        },
      ];
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
    case 'Lowercase':
    case 'StripAccents':
    case 'Nmt':
      return [{ type }];
    case 'Replace': {
      const { text, isRegex } = readPattern(normalizer.pattern, `${where}.pattern`, fields);
      const pattern = isRegex ? simpleRegex(text) : literal(text);
      if (pattern === undefined)
        throw fields.unsupported('normalizer', `Replace of the pattern ${JSON.stringify(text)}`);
      return [{ type, pattern, text: fields.string(normalizer.content, `${where}.content`) }];
    }
    case 'Prepend':
      return [{ type, text: fields.string(normalizer.prepend, `${where}.prepend`) }];
    case 'Strip':
      return [
        {
          type,
          left: fields.boolean(normalizer.strip_left, `${where}.strip_left`),
          right: fields.boolean(normalizer.strip_right, `${where}.strip_right`),
        },
      ];
    case 'Precompiled': {
      const map = fields.string(normalizer.precompiled_charsmap, `${where}.precompiled_charsmap`);
      const bytes = Uint8Array.from(Buffer.from(map, 'base64'));
      // SentencePiece's "identity" has no map.
      return bytes.length === 0 ? [] : [{ type, bytes }];
    }
    default:
      throw fields.unsupported('normalizer', type);
  }
}
