/** What goes wrong between gteway and a database: said in one line, with what to do. */
export class SyncError extends Error {
  override readonly name = 'SyncError';
}
