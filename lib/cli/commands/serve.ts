/** `gteway serve`: the embedding server. Its log is what it prints, on stdout, a JSON object per line. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ServeOptions } from '../../server/options.js';
import {
  configVariable,
  flagOf,
  readServeOptions,
  serveOptionNames,
  serveOptionTable,
  variableOf,
  variablePrefix,
} from '../../server/options.js';
import { expandHome } from '../../models/environment.js';
import { nonEmpty } from '../arguments.js';
import { CommandError, systemReason, UsageError } from '../failure.js';
import { takeOverFirstSignal } from '../interruption.js';
import { fixtureDirectory, fixtureName } from '../model-options.js';
import { packageVersion } from '../package-facts.js';

interface ServeFlags extends Partial<ServeOptions> {
  config?: string;
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('serve embeddings over HTTP')
    .description(
      "Serve embeddings over HTTP, to clients of OpenAI's, text-embeddings-inference's and Ollama's APIs, and a page to try it at /.",
    )
    .addOption(
      new Option(
        '--config <file>',
        `a JSON file of options, by their names without dashes: {"maxBatch": 64}`,
      ).argParser(nonEmpty),
    );
  for (const name of serveOptionNames) command.addOption(option(name));
  return command.addHelpText('after', help).action(async (flags: ServeFlags) => serve(flags));
}

const help = `
Every option is also an environment variable, ${variableOf('maxBatch')} for --max-batch and so on, and a key of the
--config file (${configVariable}), maxBatch for --max-batch. A flag comes before a variable, a variable before the file. Lists
are comma-separated in variables. Unknown ${variablePrefix} variables and keys are errors.

SIGTERM and SIGINT: GET /health turns 503, what runs is finished, exit code 0. A second one ends it at once.

Examples:
  gteway serve
  gteway serve --model gte-small --model search=owner/name --host 0.0.0.0
  curl http://127.0.0.1:8080/v1/embeddings -H 'content-type: application/json' -d '{"model":"gte-small","input":"Hello"}'`;

function option(name: keyof ServeOptions): Option {
  const { kind, fallback, about, fallbackName } = serveOptionTable[name];
  const isList = Array.isArray(fallback);
  const shown = fallbackName ?? (isList ? fallback.join(', ') : fallback === undefined ? '' : String(fallback));
  const long = flagOf(name);
  const flags = name === 'model' ? `-m, ${long}` : long;
  const described = shown === '' ? about : `${about} (default: ${shown})`;
  if (kind.placeholder === '') return new Option(flags, described);
  return new Option(`${flags} ${kind.placeholder}`, described).argParser((text: string, previous: unknown) => {
    try {
      // A flag is repeated rather than split: keys and paths may hold commas.
      return isList ? [...((previous as string[] | undefined) ?? []), nonEmpty(text)] : kind.fromText(text);
    } catch (error) {
      throw new InvalidArgumentError(`It ${(error as Error).message}.`);
    }
  });
}

async function serve({ config, ...flags }: ServeFlags): Promise<void> {
  const options = readOptions(flags, config);
  // Only here: no other command needs the server's libraries.
  const [{ EmbeddingServer }, { parseModelRequest }] = await Promise.all([
    import('../../server/server.js'),
    import('../../server/served-models.js'),
  ]);
  const models = await Promise.all(
    options.model.map(async (text) => {
      if (text === fixtureName) return { name: fixtureName, model: await fixtureDirectory(options.cacheDir) };
      return asUsageError(() => parseModelRequest(text));
    }),
  );
  const server = await EmbeddingServer.start(options, { models, version: packageVersion() }).catch((error: unknown) => {
    throw startFailure(error, options);
  });
  const signalled = new Promise<void>((resolve) => takeOverFirstSignal(resolve));
  const failed = server.ready.then(
    () => signalled,
    (error: unknown) => ({ error }),
  );
  const outcome = await Promise.race([signalled, failed]);
  await server.close();
  if (outcome !== undefined) throw outcome.error;
}

function readOptions(flags: Partial<ServeOptions>, configFlag: string | undefined): ServeOptions {
  const config = configFlag ?? filled(process.env[configVariable]);
  return asUsageError(() => {
    const file = config === undefined ? undefined : { name: config, text: readConfig(config) };
    return readServeOptions({ flags, env: process.env, file });
  });
}

/** Set but blank counts as unset, as shells and containers often leave it. */
function filled(text: string | undefined): string | undefined {
  return text?.trim() === '' ? undefined : text?.trim();
}

function readConfig(path: string): string {
  try {
    return readFileSync(expandHome(path), 'utf8');
  } catch (error) {
    throw new RangeError(`cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
}

function asUsageError<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'permission denied',
  ENOTFOUND: 'there is no such host',
};

function startFailure(error: unknown, { host, port, socket }: ServeOptions): Error {
  const { code, syscall, path, message } = error as NodeJS.ErrnoException;
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    const place = socket ?? `${host}:${port}`;
    return new CommandError(`cannot listen on ${place}: ${listenReasons[code ?? ''] ?? message}`, { cause: error });
  }
  if (syscall === 'open' || syscall === 'read') {
    return new CommandError(`cannot read ${path ?? 'a file'}: ${systemReason(error)}`, { cause: error });
  }
  return error instanceof RangeError ? new UsageError(message, { cause: error }) : (error as Error);
}
