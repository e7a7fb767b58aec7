/** `gteway sync`: a Postgres table's vectors kept in step with its texts. */
import { Command } from 'commander';
import { backfillCommand } from '../sync/backfill.js';
import { initCommand, removeCommand } from '../sync/init.js';
import { statusCommand } from '../sync/status.js';
import { workCommand } from '../sync/work.js';

export function syncCommand(): Command {
  const command = new Command('sync')
    .summary("keep a Postgres table's vectors in step with its texts")
    .description("Keep a Postgres table's vectors in step with its texts. Needs the pg package: npm install pg.");
  for (const subcommand of [initCommand, backfillCommand, workCommand, statusCommand, removeCommand]) {
    command.addCommand(subcommand());
  }
  return command.addHelpText('after', help);
}

const help = `
Examples:
  npm install pg
  export DATABASE_URL=postgres://user@host/database
  gteway sync init --table public.articles --text title --text body --model gte-small --apply
  gteway sync backfill
  gteway sync work
  gteway sync status`;
