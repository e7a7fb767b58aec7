/**
 * Semantic search in Postgres: embeddings from gteway, pgvector's `match_documents` as in Supabase's documentation.
 * PGlite is Postgres in this process; with a server, only the connection changes.
 *
 *   npm --prefix examples/semantic-search start                            (the small model in the package)
 *   MODEL=gte-small npm --prefix examples/semantic-search start -- "what do cats like?"
 *   npm --prefix examples/semantic-search start -- --halfvec               (vectors of 16-bit floats: half the space)
 */
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { Session } from 'gteway';

const documents = [
  'The cat sleeps on the warm windowsill all afternoon.',
  'A kitten chased a ball of wool across the kitchen floor.',
  'The central bank raised interest rates by half a point.',
  'Stock markets fell after the inflation report was published.',
  'Bake the bread for forty minutes, until the crust is golden.',
  'The new telescope photographed a galaxy ten billion light years away.',
];

const type = process.argv.includes('--halfvec') ? 'halfvec' : 'vector';
const question = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? 'where does the cat sleep?';

const session = await Session.load(process.env.MODEL ?? 'gteway-mini');
const { dimensions } = session.info;

const database = await PGlite.create({ extensions: { vector } });
await database.exec(`
  create extension vector;
  create table documents (
    id bigint primary key generated always as identity,
    content text not null,
    embedding ${type}(${dimensions}) not null
  );
  -- For the few documents here Postgres rightly reads them all; with thousands, this index finds the nearest.
  create index on documents using hnsw (embedding ${type}_ip_ops);

  -- The vectors have length 1, so that their inner product is their cosine. <#> is the negative inner product.
  create function match_documents(query_embedding ${type}(${dimensions}), match_threshold float, match_count int)
  returns table (id bigint, content text, similarity float) language sql stable as $$
    select id, content, -(embedding <#> query_embedding) as similarity
    from documents
    where -(embedding <#> query_embedding) > match_threshold
    order by embedding <#> query_embedding
    limit match_count;
  $$;`);

/** Row i as the column's type reads it. */
const literal = (embeddings, i) => (type === 'halfvec' ? embeddings.toPgHalfvec(i) : embeddings.toPgVector(i));

// All documents in one call: that is how embedding is fast.
const embeddings = await session.embed(documents);
for (const [at, content] of documents.entries()) {
  await database.query(`insert into documents (content, embedding) values ($1, $2::${type})`, [
    content,
    literal(embeddings, at),
  ]);
}

const query = await session.embed(question);
const { rows } = await database.query(`select * from match_documents($1::${type}, $2, $3)`, [literal(query, 0), -1, 3]);

console.log(`${documents.length} documents as ${type}(${dimensions}). "${question}"`);
for (const { similarity, content } of rows) console.log(`  ${similarity.toFixed(3)}  ${content}`);

await database.close();
await session.close();
