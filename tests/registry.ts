/** Whether a failed `npm install` is this machine's lack of a network, which is a reason to skip, or a failure. */
export function registryProblem(error: unknown): string | undefined {
  const { stderr = '', killed } = error as { stderr?: string; killed?: boolean };
  const code = /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.exec(
    stderr,
  )?.[0];
  if (code === undefined && killed !== true) return undefined;
  return `the npm registry cannot be reached (${code ?? 'no answer in time'})`;
}
