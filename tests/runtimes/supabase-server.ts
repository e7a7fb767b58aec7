/**
 * Supabase's REST endpoints over a Postgres in this process (PGlite with pgvector), as far as the guide uses them, so
 * that supabase-js itself is used. Requests become the queries PostgREST makes of them: arguments and rows are handed to
 * Postgres as one JSON value each, and Postgres converts them to the types of the function or table.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Tools } from './tools.js';

/** What is used of PGlite, which is installed for the runtime tests only. */
export interface Database {
  query(sql: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  exec(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface SupabaseServer {
  readonly url: string;
  readonly key: string;
  readonly database: Database;
  close(): Promise<void>;
}

/** The tables and the function of Supabase's own documentation of vector search, and the guide's table of messages. */
const schema = `
  create extension vector;
  create table documents (id bigint primary key generated always as identity, content text, embedding vector(384));
  create function match_documents(query_embedding vector(384), match_threshold float, match_count int)
  returns table (id bigint, content text, similarity float) language sql stable as $$
    select documents.id, documents.content, 1 - (documents.embedding <=> query_embedding) as similarity
    from documents
    where 1 - (documents.embedding <=> query_embedding) > match_threshold
    order by documents.embedding <=> query_embedding
    limit match_count;
  $$;
  create table messages (
    id bigint primary key generated always as identity,
    conversation_id text not null, role text not null, content text not null,
    created_at timestamptz not null default clock_timestamp()
  );`;

export async function startSupabase(tools: Tools): Promise<SupabaseServer> {
  const { PGlite } = (await tools.import('@electric-sql/pglite')) as {
    PGlite: { create(options: object): Promise<Database> };
  };
  const { vector } = (await tools.import('@electric-sql/pglite-pgvector')) as { vector: unknown };
  const database = await PGlite.create({ extensions: { vector } });
  await database.exec(schema);

  const key = 'service-role-key';
  const server = createServer((request, response) => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    };
    if (request.headers.apikey !== key) {
      send(401, { message: 'Invalid API key' });
      return;
    }
    answer(database, request).then(
      ({ status, body }) => send(status, body),
      (error: unknown) => send(400, { message: String(error), code: 'XX000', details: null, hint: null }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key,
    database,
    close: () => close(server, database),
  };
}

async function close(server: Server, database: Database): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await database.close();
}

async function answer(database: Database, request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
  const url = new URL(request.url ?? '', 'http://localhost');
  const [, rest, version, ...path] = url.pathname.split('/');
  if (rest !== 'rest' || version !== 'v1') return { status: 404, body: { message: 'not found' } };
  if (path[0] === 'rpc' && request.method === 'POST') {
    return { status: 200, body: await call(database, path[1] ?? '', await bodyOf(request)) };
  }
  const table = identifier(path[0] ?? '');
  if (request.method === 'GET') return { status: 200, body: await select(database, table, url.searchParams) };
  if (request.method === 'POST') {
    await insert(database, table, await bodyOf(request));
    return { status: 201 };
  }
  return { status: 405, body: { message: 'method not allowed' } };
}

async function call(database: Database, name: string, body: string): Promise<unknown> {
  const { rows } = await database.query(
    `select unnest(proargnames[1:pronargs]) as name, format_type(unnest(proargtypes), null) as type
     from pg_proc where proname = $1`,
    [name],
  );
  const given = rows.map((row) => `${identifier(String(row.name))} ${String(row.type)}`);
  const passed = rows.map((row) => `${identifier(String(row.name))} := given.${identifier(String(row.name))}`);
  const sql = `select result.* from json_to_record($1::json) as given(${given.join(', ')}),
    lateral ${identifier(name)}(${passed.join(', ')}) as result`;
  return (await database.query(sql, [body])).rows;
}

async function insert(database: Database, table: string, body: string): Promise<void> {
  const rows = [JSON.parse(body) as Record<string, unknown> | Record<string, unknown>[]].flat();
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].map(identifier).join(', ');
  await database.query(
    `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, $1::json)`,
    [JSON.stringify(rows)],
  );
}

async function select(database: Database, table: string, query: URLSearchParams): Promise<unknown> {
  const filters: string[] = [];
  const values: string[] = [];
  let order = '';
  for (const [name, value] of query) {
    const [operator, ...operand] = value.split('.');
    if (name === 'select') continue;
    if (name === 'order') order = `order by ${identifier(operator ?? '')} ${operand[0] === 'desc' ? 'desc' : 'asc'}`;
    else if (operator === 'eq') filters.push(`${identifier(name)} = $${values.push(operand.join('.'))}`);
    else throw new Error(`the operator ${String(operator)} is not known here`);
  }
  const where = filters.length === 0 ? '' : `where ${filters.join(' and ')}`;
  return (await database.query(`select * from ${table} ${where} ${order}`, values)).rows;
}

function identifier(name: string): string {
  if (!/^\w+$/.test(name)) throw new Error(`'${name}' is no identifier`);
  return `"${name}"`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
