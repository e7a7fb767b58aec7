/** `gteway sync status`: how far it is, for people and for programs. */
import { Command, Option } from 'commander';
import { readFailures, readStatus, type SyncStatus } from '../../sync/status.js';
import { wholeNumber } from '../arguments.js';
import { addTargetOptions, type TargetFlags, withTarget } from './database.js';

interface StatusFlags extends TargetFlags {
  json?: true;
  failures: number;
}

export function statusCommand(): Command {
  const command = new Command('status')
    .summary('tell what waits, runs and failed')
    .description('Tell what waits, runs and failed, how fast it goes and how long it will take.')
    .addOption(new Option('--json', 'for programs'))
    .addOption(new Option('--failures <n>', 'show so many of the failed rows').argParser(wholeNumber(0)).default(5));
  return addTargetOptions(command).action(async (flags: StatusFlags) => {
    await withTarget(flags, 1, async (pool, target) => {
      const status = await readStatus(pool, target);
      const failures = await readFailures(pool, target, flags.failures);
      if (flags.json === true) {
        process.stdout.write(`${JSON.stringify({ ...status, failures })}\n`);
        return;
      }
      const lines = [...describe(status), ...failures.map(({ key, reason }) => `  ${key.join(', ')}: ${reason}`)];
      process.stdout.write(`${lines.join('\n')}\n`);
    });
  });
}

function describe(status: SyncStatus): string[] {
  const { timeLeft, backfillAfter, chunks } = status;
  const left = timeLeft === undefined ? 'nobody works' : `${timeLeft.toFixed(0)} s`;
  return [
    `${status.name}  ${status.table}, vectors of ${status.version}${chunks === undefined ? '' : ` in ${chunks}`}`,
    `pending  ${status.pending}`,
    `running  ${status.running}`,
    `failed   ${status.failed}`,
    `oldest   ${status.oldest.toFixed(0)} s`,
    `workers  ${status.workers}`,
    `rate     ${status.rate.toFixed(1)} rows/s`,
    `left     ${left}`,
    ...(backfillAfter === undefined ? [] : [`backfill under way or interrupted, after ${backfillAfter.join(', ')}`]),
  ];
}
