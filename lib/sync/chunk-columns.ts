/** What a table of chunks has of its own, and its row of it. */

/** Columns beside the key and the vector, as PostgreSQL writes their types. */
export const chunkColumns = [
  { name: 'chunk', type: 'integer' },
  { name: 'chunk_start', type: 'integer' },
  { name: 'chunk_end', type: 'integer' },
  { name: 'tokens', type: 'integer' },
] as const;

/** With `chunks: { text: true }`. */
export const chunkTextColumn = { name: 'content', type: 'text' } as const;

/** The column of the row that says how many chunks it has. */
export function chunkCountColumn(vector: string): string {
  return `${vector}_chunks`;
}
