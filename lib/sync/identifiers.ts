/**
 * Names and texts as SQL writes them. Whatever comes from a configuration reaches SQL through here or as a parameter.
 *
 * Names are taken as they are written, without PostgreSQL's folding to lower case: `Articles` means "Articles".
 */
import { show } from '../arguments/show.js';
import { SyncError } from './sync-error.js';

/** PostgreSQL cuts longer names, and then two of them may be one. */
const mostBytes = 63;

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** Throws SyncError for what no name can be. */
export function checkName(what: string, name: string): string {
  if (name === '' || name.includes('\0')) throw new SyncError(`${what} ${show(name)} cannot be a name in PostgreSQL`);
  if (Buffer.byteLength(name) > mostBytes) {
    throw new SyncError(`${what} ${show(name)} is longer than the ${mostBytes} bytes that PostgreSQL's names have`);
  }
  return name;
}

export function quoteName(name: string): string {
  return `"${checkName('the name', name).replaceAll('"', '""')}"`;
}

export function quoteTable({ schema, name }: TableName): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

export function quoteText(text: string): string {
  if (text.includes('\0')) throw new SyncError('a text with a null character cannot be written in SQL');
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** `schema.name`, or `name` in the schema `public`. A part that holds a dot or a quote is written "in ""quotes""". */
export function parseTableName(text: string): TableName {
  const parts: string[] = [];
  let rest = text.trim();
  for (;;) {
    const match = /^(?:"((?:[^"]|"")+)"|([^".]+))(\.|$)/.exec(rest);
    if (match === null) {
      throw new SyncError(
        `table ${show(text)}: expected schema.name; write a part that has dots or quotes "in quotes"`,
      );
    }
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    rest = rest.slice(match[0].length);
    if (match[3] !== '.') break;
  }
  if (parts.length > 2) throw new SyncError(`table ${show(text)} has ${parts.length} parts; expected schema.name`);
  const name = parts.pop() ?? '';
  const schema = parts.pop() ?? 'public';
  return { schema: checkName('the schema', schema), name: checkName('the table', name) };
}
