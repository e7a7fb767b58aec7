/** `gteway sync init` and `gteway sync remove`: the SQL, printed or applied. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { type ChunkBy, chunkWays } from '../../documents/chunk-options.js';
import { expandHome } from '../../models/environment.js';
import { findTarget } from '../../sync/catalog.js';
import { readSyncConfig, type SyncConfig, vectorTypes } from '../../sync/config.js';
import { inTransaction, type Pool } from '../../sync/connection.js';
import { checkChunks } from '../../sync/embedding.js';
import { installSql, removeSql } from '../../sync/schema-sql.js';
import { SyncError } from '../../sync/sync-error.js';
import { nonEmpty, wholeNumber } from '../arguments.js';
import { CommandError, note, systemReason, UsageError } from '../failure.js';
import { cacheDirOption, dtypeOption, openSession, type SessionFlags, offlineOption } from '../model-options.js';
import {
  addDatabaseOption,
  addTargetOptions,
  type DatabaseFlags,
  type TargetFlags,
  withDatabase,
  withTarget,
} from './database.js';

/** Flags of the configuration, by its names. */
type ConfigFlags = Partial<Omit<SyncConfig, 'key' | 'text' | 'chunks'>> & { key?: string[]; text?: string[] };

/** Those of `chunks`, by the names they have there. */
interface ChunkFlags {
  chunks?: string;
  chunkSize?: number;
  chunkOverlap?: number;
  chunkBy?: ChunkBy;
  chunkText?: true;
}

interface InitFlags extends ConfigFlags, ChunkFlags, DatabaseFlags, Pick<SessionFlags, 'cacheDir' | 'offline'> {
  config?: string;
  apply?: true;
}

const repeated = (text: string, previous: string[] | undefined): string[] => [...(previous ?? []), nonEmpty(text)];

export function initCommand(): Command {
  const command = new Command('init')
    .summary('print or apply the SQL for a table')
    .description('Print the SQL that keeps a table’s vectors in step, or apply it. May be repeated.')
    .addOption(
      new Option('--config <file>', 'a JSON or YAML file of these options, by their names without dashes').argParser(
        nonEmpty,
      ),
    )
    .addOption(new Option('--apply', 'run the SQL instead of printing it'))
    .addOption(
      new Option('--table <table>', 'schema.table, written as it is; a part with dots "in quotes"').argParser(nonEmpty),
    )
    .addOption(
      new Option('--key <column>', 'a column of the key; repeat for several (default: the primary key)').argParser(
        repeated,
      ),
    )
    .addOption(
      new Option('--text <column>', 'a column to embed; repeat for several, which are joined by line ends').argParser(
        repeated,
      ),
    )
    .addOption(new Option('--template <text>', "instead of --text: such as '{title}: {body}'").argParser(nonEmpty))
    .addOption(new Option('--vector <column>', 'the column of vectors (default: embedding)').argParser(nonEmpty))
    .addOption(
      new Option(
        '--chunks <table>',
        'cut texts into chunks, each with a vector in this table, which init creates',
      ).argParser(nonEmpty),
    )
    .addOption(
      new Option('--chunk-size <tokens>', 'the most tokens of a chunk (default: 256)').argParser(wholeNumber(1)),
    )
    .addOption(
      new Option(
        '--chunk-overlap <tokens>',
        'how many a chunk repeats, at most, of the one before it (default: 0)',
      ).argParser(wholeNumber(0)),
    )
    .addOption(new Option('--chunk-by <boundary>', 'where chunks are cut (default: paragraph)').choices(chunkWays))
    .addOption(new Option('--chunk-text', 'keep each chunk’s text in that table, too'))
    .addOption(
      new Option('--type <type>', 'its type (default: vector with pgvector, otherwise real[])').choices(vectorTypes),
    )
    .addOption(
      new Option('--index <index>', 'on the vectors, for cosine distance (default: hnsw with pgvector)').choices([
        'hnsw',
        'none',
      ]),
    )
    .addOption(
      new Option('-m, --model <model>', 'a known name, a hub repository (owner/name), or a directory').argParser(
        nonEmpty,
      ),
    )
    .addOption(dtypeOption())
    .addOption(
      new Option('--dimensions <n>', 'keep the first n values, for models trained for it').argParser(wholeNumber(1)),
    )
    .addOption(
      new Option(
        '--model-version <text>',
        'what vectors are marked with; another one makes them anew (default: the model)',
      ).argParser(nonEmpty),
    )
    .addOption(new Option('--no-truncate', 'let rows fail whose text is too long for the model, instead of cutting it'))
    .addOption(new Option('--name <name>', 'of this synchronisation (default: the table’s)').argParser(nonEmpty))
    .addOption(new Option('--schema <schema>', 'where the queue lies (default: gteway_sync)').argParser(nonEmpty))
    .addOption(cacheDirOption())
    .addOption(offlineOption());
  return addDatabaseOption(command).action(async (flags: InitFlags) => init(flags));
}

async function init({ config: file, database, apply, cacheDir, offline, ...flags }: InitFlags): Promise<void> {
  // Commander has the default of --no-truncate where nobody gave it; the file may say otherwise.
  const { truncate, chunks, chunkSize, chunkOverlap, chunkBy, chunkText, ...given } = flags;
  const fromFile = file === undefined ? {} : await readConfigFile(file);
  const options: Record<string, unknown> = { ...fromFile, ...given, ...(truncate === false ? { truncate } : {}) };
  const chunkFlags = defined({ table: chunks, size: chunkSize, overlap: chunkOverlap, by: chunkBy, text: chunkText });
  // Those of a file that is wrong there are left as they are, to be told of.
  if (Object.keys(chunkFlags).length > 0 && typeof (options.chunks ?? {}) === 'object')
    options.chunks = { ...(options.chunks as object | undefined), ...chunkFlags };
  // Each stands for the other.
  if (given.text !== undefined) delete options.template;
  if (given.template !== undefined) delete options.text;
  const config = await asUsage(() => readSyncConfig(file ?? 'the options', options));
  const dimensions = await dimensionsOf(config, {
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(offline === undefined ? {} : { offline }),
  });
  await withDatabase({ ...(database === undefined ? {} : { database }) }, 1, async (pool) => {
    const statements = installSql(await findTarget(pool, config, dimensions));
    if (apply !== true) {
      process.stdout.write(`BEGIN;\n${statements.map((statement) => `${statement};\n`).join('')}COMMIT;\n`);
      return;
    }
    await applyAll(pool, statements);
    note(`'${config.name}' keeps ${config.table} in step; rows that are there already: gteway sync backfill`);
  });
}

function defined(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The model says how long its vectors are, and that it can be loaded. */
async function dimensionsOf(config: SyncConfig, where: SessionFlags): Promise<number> {
  const { model, dtype } = config;
  const { session } = await openSession({ ...where, model, ...(dtype === undefined ? {} : { dtype }) });
  const { dimensions } = session.info;
  try {
    await asUsage(() => checkChunks(session, config));
  } finally {
    await session.close();
  }
  if (config.dimensions !== undefined && config.dimensions > dimensions) {
    throw new UsageError(`dimensions ${config.dimensions} is more than the ${dimensions} that ${model} has`);
  }
  return config.dimensions ?? dimensions;
}

async function readConfigFile(path: string): Promise<object> {
  let text: string;
  try {
    text = readFileSync(expandHome(path), 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
  const parse = /\.ya?ml$/i.test(path) ? await yamlParser() : (source: string): unknown => JSON.parse(source);
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null) throw new UsageError(`${path} must hold an object of options`);
  return value;
}

async function yamlParser(): Promise<(source: string) => unknown> {
  try {
    const { parse } = await import('yaml');
    return (source) => parse(source) as unknown;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new CommandError('a YAML file needs the yaml package: npm install yaml, or write JSON', { cause });
  }
}

async function asUsage<Value>(read: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof SyncError || error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function applyAll(pool: Pool, statements: readonly string[]): Promise<void> {
  await inTransaction(pool, async (client) => {
    // Creating a trigger or an index waits for whoever writes; others wait behind it, but not for long.
    await client.query("SET LOCAL lock_timeout = '10s'");
    for (const statement of statements) await client.query(statement);
  });
}

interface RemoveFlags extends TargetFlags {
  apply?: true;
  dropColumns?: true;
}

export function removeCommand(): Command {
  const command = new Command('remove')
    .summary('print or apply the SQL that takes all of it away')
    .description('Print the SQL that takes queue, triggers and functions away, or apply it. The vectors stay.')
    .addOption(new Option('--apply', 'run the SQL instead of printing it'))
    .addOption(new Option('--drop-columns', 'the vectors, their hashes and models, and chunks, too'));
  return addTargetOptions(command).action(async (flags: RemoveFlags) => {
    await withTarget(flags, 1, async (pool, target) => {
      const statements = removeSql(target, { dropColumns: flags.dropColumns === true });
      if (flags.apply === true) await applyAll(pool, statements);
      else process.stdout.write(`BEGIN;\n${statements.map((statement) => `${statement};\n`).join('')}COMMIT;\n`);
    });
  });
}
