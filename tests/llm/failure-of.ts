import { GtewayError } from '../../lib/errors.js';

/** The GtewayError that `work` must reject with. */
export async function failureOf(work: Promise<unknown>): Promise<GtewayError> {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome && outcome.error instanceof GtewayError) return outcome.error;
  if ('error' in outcome) throw outcome.error;
  throw new Error(`expected a failure, got ${JSON.stringify(outcome.value)}`);
}
