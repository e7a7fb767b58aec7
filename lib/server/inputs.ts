/** The texts of a request, in each of the forms the APIs allow. */
import { show } from '../arguments/show.js';
import { RequestFailure } from './failures.js';
import type { ServedModel } from './served-model.js';

/**
 * A string, strings, token ids, or several lists of token ids (strings and lists may be mixed, as
 * text-embeddings-inference allows).
 *
 * Throws RequestFailure: 'invalid' for anything else, 'too-many-texts' beyond the limit.
 */
export function textsOf(field: string, value: unknown, model: ServedModel, maxBatch: number): readonly string[] {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw wrongType(field, value);
  const items = value as readonly unknown[];
  if (items.length === 0) throw new RequestFailure('invalid', `${field} is an empty array`, { field });
  if (typeof items[0] === 'number') return [model.tokenIds.text(checkedIds(field, items), field)];
  checkCount(field, items.length, maxBatch);
  return items.map((item, i) => {
    if (typeof item === 'string') return item;
    const where = `${field}[${i}]`;
    if (!Array.isArray(item)) throw wrongType(where, item, 'a string or an array of token ids', field);
    return model.tokenIds.text(checkedIds(where, item as readonly unknown[]), where);
  });
}

/** A string or strings, as APIs without token ids take them. */
export function plainTextsOf(field: string, value: unknown, maxBatch: number): readonly string[] {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw wrongType(field, value, 'a string or an array of strings');
  const items = value as readonly unknown[];
  checkCount(field, items.length, maxBatch);
  for (const [i, item] of items.entries()) {
    if (typeof item !== 'string') throw wrongType(`${field}[${i}]`, item, 'a string', field);
  }
  return items as readonly string[];
}

function checkCount(field: string, count: number, maxBatch: number): void {
  if (count <= maxBatch) return;
  throw new RequestFailure(
    'too-many-texts',
    `${field} has ${count} texts, more than the ${maxBatch} that this server takes in a request`,
    { field },
  );
}

function checkedIds(field: string, ids: readonly unknown[]): readonly number[] {
  if (ids.length === 0) throw new RequestFailure('invalid', `${field} is an empty array`, { field: bare(field) });
  for (const [i, id] of ids.entries()) {
    if (!Number.isSafeInteger(id) || (id as number) < 0) {
      throw wrongType(`${field}[${i}]`, id, 'a token id, a whole number from 0', field);
    }
  }
  return ids as readonly number[];
}

function wrongType(
  where: string,
  value: unknown,
  wanted = 'a string, an array of strings, an array of token ids or an array of such arrays',
  field = where,
): RequestFailure {
  return new RequestFailure('invalid', `${where} must be ${wanted}, not ${show(value)}`, {
    field: bare(field),
  });
}

/** `input` of `input[3]`. */
function bare(field: string): string {
  return field.replace(/\[.*$/, '');
}
