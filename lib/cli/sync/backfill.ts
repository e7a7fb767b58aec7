/** `gteway sync backfill`: queues the rows that have no current vector. */
import { Command, Option } from 'commander';
import { backfill } from '../../sync/backfill.js';
import { refuseSharedServers } from '../../sync/pooler.js';
import { wholeNumber } from '../arguments.js';
import { note } from '../failure.js';
import { progress } from '../progress.js';
import { addTargetOptions, type TargetFlags, withTarget } from './database.js';

interface BackfillFlags extends TargetFlags {
  page: number;
  restart?: true;
  failed?: true;
}

export function backfillCommand(): Command {
  const command = new Command('backfill')
    .summary('queue the rows that have no current vector')
    .description(
      'Queue the rows without a vector, or with one of another text or model. Interrupted, it goes on where it was.',
    )
    .addOption(
      new Option('--page <rows>', 'rows that are looked at in a transaction').argParser(wholeNumber(1)).default(5000),
    )
    .addOption(new Option('--restart', 'from the first row, whatever an interrupted one had come to'))
    .addOption(new Option('--failed', 'queue rows that failed, too'));
  return addTargetOptions(command).action(async ({ page, restart, failed, ...flags }: BackfillFlags) => {
    await withTarget(flags, 2, async (pool, target) => {
      await refuseSharedServers(pool);
      let [seen, queued] = [0, 0];
      let bar: ReturnType<typeof progress> | undefined;
      try {
        const options = { page, restart: restart === true, failed: failed === true };
        for await (const now of backfill(pool, target, options)) {
          [seen, queued] = [now.seen, now.queued];
          bar ??= progress('backfill', now.total);
          bar.update(now.seen, `${now.seen.toLocaleString('en')} rows, ${now.queued.toLocaleString('en')} queued`);
        }
      } finally {
        bar?.stop();
      }
      note(`${seen} rows looked at, ${queued} queued`);
    });
  });
}
