/**
 * Runs one call after the other and puts the rows of their results end to end.
 *
 * @param {(() => Promise<{ data: Float32Array, dimensions: number }>)[]} calls
 */
export async function concatenate(calls) {
  const parts = [];
  for (const call of calls) parts.push(await call());
  const dimensions = parts[0]?.dimensions ?? 0;
  const data = new Float32Array(parts.reduce((total, part) => total + part.data.length, 0));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { data, dimensions };
}
