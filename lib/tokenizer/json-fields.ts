/** Reads the values of a tokenizer.json, and says where one is not what it must be. */
import { GtewayError } from '../errors.js';

export type Json = Readonly<Record<string, unknown>>;

export const maxInt32 = 2 ** 31 - 1;

/** Every method takes the value and its place in the file, and throws ERR_TOKENIZER_INVALID for another kind of value. */
export class JsonFields {
  readonly #source: string;

  /** @param source names the file in errors */
  constructor(source: string) {
    this.#source = source;
  }

  object(value: unknown, where: string): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.invalid(where, `${shown(value)}; expected an object`);
    return value as Json;
  }

  array(value: unknown, where: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.invalid(where, `${shown(value)}; expected an array`);
    return value;
  }

  string(value: unknown, where: string): string {
    if (typeof value !== 'string') throw this.invalid(where, `${shown(value)}; expected a string`);
    return value;
  }

  boolean(value: unknown, where: string): boolean {
    if (typeof value !== 'boolean') throw this.invalid(where, `${shown(value)}; expected true or false`);
    return value;
  }

  count(value: unknown, where: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw this.invalid(where, `${shown(value)}; expected a whole number ≥ 0`);
    return value as number;
  }

  id(value: unknown, where: string): number {
    const id = this.count(value, where);
    if (id > maxInt32) throw this.invalid(where, `${id}; ids end at ${maxInt32}`);
    return id;
  }

  invalid(where: string, what: string): GtewayError {
    return new GtewayError('ERR_TOKENIZER_INVALID', `${this.#source}: ${where} is ${what}`, { details: { where } });
  }

  /** For what the format knows and gteway does not have. `type`: the kind that the file names, or a description. */
  unsupported(stage: string, type: unknown): GtewayError {
    const name = typeof type === 'string' ? type : `without a known type (${shown(type)})`;
    return new GtewayError(
      'ERR_TOKENIZER_UNSUPPORTED',
      `${this.#source}: the ${stage} is ${name}, which gteway does not have`,
      { details: { stage, type: name } },
    );
  }
}

export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
