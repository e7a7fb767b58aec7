/** The text of a row, as an expression of SQL: what is hashed by the trigger is then what is read by the worker. */
import type { SyncConfig } from './config.js';
import { quoteName, quoteText } from './identifiers.js';
import { SyncError } from './sync-error.js';

interface TextOrColumn {
  readonly text?: string;
  readonly column?: string;
}

/** The pieces of a template. `{{` and `}}` are braces. Throws SyncError for a brace that is left alone. */
function piecesOf(template: string): readonly TextOrColumn[] {
  return [...template.matchAll(/\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+/g)].map(([piece, column]) => {
    if (column !== undefined) return { column };
    if (piece === '{{' || piece === '}}') return { text: piece.charAt(0) };
    if (piece === '{' || piece === '}') {
      throw new SyncError(
        `template: write {column} for a column, and {{ or }} for a brace; there is a '${piece}' alone`,
      );
    }
    return { text: piece };
  });
}

/** The columns that the text is made of. */
export function contentColumns({ text, template }: Pick<SyncConfig, 'text' | 'template'>): readonly string[] {
  if (text !== undefined) return text;
  const columns = piecesOf(template ?? '').flatMap(({ column }) => column ?? []);
  if (columns.length === 0) throw new SyncError('template: it names no column; write {title} for the value of "title"');
  return columns;
}

/**
 * The text of the row that `alias` stands for; never NULL. Columns are joined by line ends, and those that are NULL left
 * out; in a template they are empty.
 */
export function contentSql({ text, template }: Pick<SyncConfig, 'text' | 'template'>, alias: string): string {
  const value = (column: string): string => `${alias}.${quoteName(column)}::text`;
  if (text !== undefined) return `concat_ws(${quoteText('\n')}, ${text.map(value).join(', ')})`;
  const pieces = piecesOf(template ?? '').map((piece) =>
    piece.column === undefined ? quoteText(piece.text ?? '') : `coalesce(${value(piece.column)}, '')`,
  );
  return `(${pieces.join(' || ')})`;
}

/** The hash of such a text. Not of the bytes in the table: those depend on the database's encoding. */
export function hashSql(content: string): string {
  return `sha256(convert_to(${content}, 'UTF8'))`;
}
