/** What `init` wrote down in the database: workers need no configuration but where that is. */
import type { Queryable, Target } from './catalog.js';
import type { SyncConfig } from './config.js';
import { quoteTable } from './identifiers.js';
import { protocol } from './schema-sql.js';
import { SyncError } from './sync-error.js';

interface RegistryRow {
  readonly name: string;
  readonly protocol: number;
  readonly target: Target;
  readonly version: string;
}

/** The synchronisation called `name`, or the only one there is. Throws SyncError where that is none, or not one. */
export async function readTarget(db: Queryable, schema: string, name: string | undefined): Promise<Target> {
  const registry = quoteTable({ schema, name: 'sync' });
  const there = await db.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [registry]);
  if (there.rows[0]?.there !== true) {
    throw new SyncError(`nothing is synchronised from the schema '${schema}' of this database: gteway sync init`);
  }
  const { rows } = await db.query<RegistryRow>(`SELECT name, protocol, target, version FROM ${registry} ORDER BY name`);
  const names = rows.map((row) => row.name).join(', ');
  const found = name === undefined && rows.length === 1 ? rows[0] : rows.find((row) => row.name === name);
  if (found === undefined) {
    if (name === undefined) throw new SyncError(`several tables are synchronised: choose with --name one of ${names}`);
    throw new SyncError(`there is no synchronisation '${name}'; there is ${names}`);
  }
  if (found.protocol !== protocol) {
    throw new SyncError(
      `'${found.name}' was made by a gteway of protocol ${found.protocol}, and this one speaks ${protocol}: ` +
        'init it again with this version, after the workers of the other one have ended',
    );
  }
  return found.target;
}

/** What vectors are to be marked with now; undefined where the synchronisation is gone. */
export async function readVersion(db: Queryable, { schema, name }: SyncConfig): Promise<string | undefined> {
  const registry = quoteTable({ schema, name: 'sync' });
  const { rows } = await db.query<{ version: string }>(`SELECT version FROM ${registry} WHERE name = $1`, [name]);
  return rows[0]?.version;
}
