/** What the commands of `gteway sync` have in common: which database, which synchronisation. */
import { type Command, Option } from 'commander';
import type { Target } from '../../sync/catalog.js';
import { defaultSchema } from '../../sync/config.js';
import { openPool, type Pool } from '../../sync/connection.js';
import { readTarget } from '../../sync/registry.js';
import { SyncError } from '../../sync/sync-error.js';
import { nonEmpty } from '../arguments.js';
import { CommandError } from '../failure.js';

export interface DatabaseFlags {
  database?: string;
}

export interface TargetFlags extends DatabaseFlags {
  name?: string;
  schema: string;
}

export function addDatabaseOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--database <url>',
      'postgres://user@host/database (default: DATABASE_URL, or PGHOST, PGDATABASE and so on)',
    ).argParser(nonEmpty),
  );
}

/** For commands that work on what `init` has made. */
export function addTargetOptions(command: Command): Command {
  return addDatabaseOption(command)
    .addOption(new Option('--name <name>', 'which synchronisation, where there are several').argParser(nonEmpty))
    .addOption(new Option('--schema <schema>', 'the schema it lies in').argParser(nonEmpty).default(defaultSchema));
}

/** Runs `work` with connections that end with it. */
export async function withDatabase<Result>(
  { database }: DatabaseFlags,
  connections: number,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  const url = database ?? (process.env.DATABASE_URL?.trim() === '' ? undefined : process.env.DATABASE_URL);
  return told(async () => {
    const pool = await openPool({ url }, connections);
    try {
      return await work(pool);
    } finally {
      await pool.end();
    }
  });
}

export function withTarget<Result>(
  flags: TargetFlags,
  connections: number,
  work: (pool: Pool, target: Target) => Promise<Result>,
): Promise<Result> {
  return withDatabase(flags, connections, async (pool) => work(pool, await readTarget(pool, flags.schema, flags.name)));
}

/** The database's own errors, told as the commands tell theirs. */
async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SyncError) throw new CommandError(error.message, { cause: error });
    const { code, severity } = error as { code?: unknown; severity?: unknown };
    if (error instanceof AggregateError && error.errors[0] instanceof Error) {
      throw new CommandError(`the database: ${error.errors[0].message}`, { cause: error });
    }
    if (error instanceof Error && (severity !== undefined || /^E[A-Z]+$/.test(String(code)))) {
      throw new CommandError(`the database: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
