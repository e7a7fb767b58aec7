/** Computing on behalf of a request: dropped when its client goes, ended by the request timeout, counted. */
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EmbedOptions } from '../embedding/embed-options.js';
import type { Embeddings } from '../vectors/embeddings.js';
import { type Prompt, promptText } from '../embedding/prompt.js';
import { show } from '../arguments/show.js';
import { RequestFailure } from './failures.js';
import { expectedRowBytes, JsonWriter } from '../vectors/json-writer.js';
import type { HostedModel } from './hosted-model.js';
import type { ServedModel } from './served-model.js';
import type { ServerContext } from './server-context.js';

export interface Embedded {
  readonly embeddings: Embeddings;
  /** Of all texts, special tokens counted. */
  readonly tokens: number;
}

export async function embedFor(
  request: FastifyRequest,
  context: ServerContext,
  model: ServedModel,
  texts: readonly string[],
  embedOptions: EmbedOptions = {},
): Promise<Embedded> {
  checkDimensions(model, embedOptions.dimensions);
  checkPromptName(model, embedOptions.prompt);
  const { result, tokens } = await computeFor(request, context, model, (deadline) =>
    model.embed(texts, { ...embedOptions, ...deadline }),
  );
  return { embeddings: result, tokens };
}

/** Does `work` under the request's deadline, and counts what it tells about its texts. `tokens`: of all of them. */
export async function computeFor<Result extends { tokens: Uint32Array; truncated: readonly boolean[] }>(
  request: FastifyRequest,
  { metrics, options }: ServerContext,
  model: HostedModel,
  work: (deadline: { signal: AbortSignal; timeout: number }) => Promise<Result>,
): Promise<{ result: Result; tokens: number }> {
  const result = await work({ signal: goneSignal(request.raw.socket), timeout: options.requestTimeout });
  const texts = result.tokens.length;
  let truncated = 0;
  let tokens = 0;
  for (const [i, count] of result.tokens.entries()) {
    tokens += count;
    truncated += Number(result.truncated[i]);
  }
  metrics.computed(model.name, texts, tokens, truncated);
  request.work = { model: model.name, texts, tokens, truncated };
  return { result, tokens };
}

const goneSignals = new WeakMap<Socket, AbortSignal>();

/** Fires when the client has gone: one signal for all requests of a connection. */
function goneSignal(socket: Socket): AbortSignal {
  const known = goneSignals.get(socket);
  if (known !== undefined) return known;
  const gone = new AbortController();
  goneSignals.set(socket, gone.signal);
  if (socket.destroyed) gone.abort();
  else socket.once('close', () => gone.abort());
  return gone.signal;
}

function checkDimensions(model: ServedModel, dimensions: number | undefined): void {
  if (dimensions === undefined || dimensions <= model.info.dimensions) return;
  throw new RequestFailure(
    'invalid',
    `dimensions: ${dimensions} is more than the ${model.info.dimensions} that ${model.name} has`,
    { field: 'dimensions' },
  );
}

/** What the session would say about it, as this field's failure. Returns what comes before each text. */
export function checkPromptName({ info, name }: ServedModel, prompt: Prompt | undefined): string {
  try {
    return promptText(prompt, { model: name, prompts: info.prompts });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const names = Object.keys(info.prompts).map(show).join(', ');
    const there = names === '' ? 'it has none' : `it has ${names}`;
    throw new RequestFailure('invalid', `prompt_name: ${name} has no prompt ${show(prompt)}; ${there}`, {
      field: 'prompt_name',
    });
  }
}

/** After so many values the event loop gets its turn: some 4 ms of writing. */
const valuesPerTurn = 64 * 1024;

/** `[[…],[…]]`, rows `begin` to `end` of the embeddings. */
export async function writeRows(
  writer: JsonWriter,
  embeddings: Embeddings,
  begin = 0,
  end = embeddings.rows,
): Promise<void> {
  const rowsPerTurn = Math.max(1, Math.floor(valuesPerTurn / embeddings.dimensions));
  writer.ascii('[');
  for (let row = begin; row < end; row++) {
    if (row > begin) {
      writer.ascii(',');
      if ((row - begin) % rowsPerTurn === 0) await nextTurn();
    }
    writer.vector(embeddings.at(row));
  }
  writer.ascii(']');
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A writer with room for the rows, and for `more` bytes. */
export function writerFor({ rows, dimensions }: Embeddings, more = 128): JsonWriter {
  return new JsonWriter(rows * expectedRowBytes(dimensions) + more);
}

export function sendJson(reply: FastifyReply, writer: JsonWriter): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(writer.finish());
}
