/**
 * The options of `gteway serve`: one table from which the flags, the variables and the file's keys follow.
 *
 * First that is set: flag, environment variable (GTEWAY_SERVE_ and the name in capitals), configuration file, default. A
 * list that is set in one place replaces that of another. Unknown keys of the file and unknown GTEWAY_SERVE_ variables
 * are errors.
 */
import { rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';

export interface ServeOptions {
  readonly model: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly socket: string | undefined;
  readonly apiKey: readonly string[];
  readonly apiKeyFile: string | undefined;
  readonly corsOrigin: readonly string[];
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** Bytes. */
  readonly maxBody: number;
  /** Texts. */
  readonly maxBatch: number;
  /** Texts. */
  readonly maxQueue: number;
  /** Seconds. */
  readonly requestTimeout: number;
  readonly receiveTimeout: number;
  readonly shutdownTimeout: number;
  readonly device: 'auto' | 'cpu' | 'cuda' | undefined;
  readonly engine: 'auto' | 'ort' | 'encoder' | undefined;
  readonly dtype: 'auto' | 'fp32' | 'fp16' | 'bf16' | 'int8' | undefined;
  readonly threads: number | undefined;
  readonly maxBatchTokens: number | undefined;
  /** Bytes. */
  readonly vectorCache: number | undefined;
  readonly cacheDir: string | undefined;
  readonly offline: boolean | undefined;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

/** How a value is read: from text, as flags and variables have it, and from JSON. Both throw Error: "must be …". */
interface Kind<Value> {
  /** Shown in the help: `<n>`. */
  readonly placeholder: string;
  fromText(text: string): Value;
  fromJson(value: unknown): Value;
}

function kind<Value>(
  placeholder: string,
  wanted: string,
  read: (value: unknown) => Value | undefined,
  fromText: (text: string) => unknown = (text) => text,
): Kind<Value> {
  const checked = (value: unknown): Value => {
    const result = read(value);
    if (result === undefined) throw new RangeError(`must be ${wanted}, not ${show(value)}`);
    return result;
  };
  return { placeholder, fromText: (text) => checked(fromText(text)), fromJson: checked };
}

const isFilled = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
const numeric = (text: string): unknown => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);

const text = (placeholder: string): Kind<string> =>
  kind(placeholder, 'a text that is not empty', (value) => (isFilled(value) ? value : undefined));

const list = (placeholder: string): Kind<readonly string[]> =>
  kind(
    placeholder,
    'a text that is not empty, or a list of such',
    (value) => {
      const items: unknown[] = Array.isArray(value) ? value : [value];
      return items.length > 0 && items.every(isFilled) ? items.map((item) => item.trim()) : undefined;
    },
    (given) => given.split(','),
  );

const whole = (least: number, most: number): Kind<number> =>
  kind(
    '<n>',
    `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`,
    (value) =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
        ? (value as number)
        : undefined,
    numeric,
  );

/** As long as setTimeout can wait. */
const seconds = kind(
  '<seconds>',
  'a number of seconds, more than 0 and at most 2147483',
  (value) => (typeof value === 'number' && value > 0 && value <= 2_147_483 ? value : undefined),
  numeric,
);

const units: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };
const size = (most: number, mostName: string): Kind<number> =>
  kind(`<bytes>`, `a number of bytes from 1024 to ${mostName}, such as 1048576, '512KiB' or '8MiB'`, (value) => {
    const [, digits = '', unit = ''] = /^(\d+) ?(?:([kmg])(?:ib)?)?$/i.exec(String(value)) ?? [];
    const bytes = digits === '' ? 0 : Number(digits) * (units[unit.toLowerCase()] ?? 0);
    return bytes >= 1024 && bytes <= most ? bytes : undefined;
  });
/** No string is longer than V8 allows: 2^29 - 24 UTF-16 units. */
const mostBody = 2 ** 29 - 24;

function choice<const Value extends string>(...values: readonly Value[]): Kind<Value> {
  return kind(`<${values.join('|')}>`, `one of ${values.map(show).join(', ')}`, (value) =>
    values.includes(value as Value) ? (value as Value) : undefined,
  );
}

const flag = kind(
  '',
  'true or false',
  (value) => (typeof value === 'boolean' ? value : undefined),
  (given) => (/^(?:1|true|yes|on)$/i.test(given) ? true : /^(?:0|false|no|off)$/i.test(given) ? false : given),
);

interface Row<Value> {
  readonly kind: Kind<Exclude<Value, undefined>>;
  readonly fallback: Value;
  /** For the help; what the default is called there, where that is not its value. */
  readonly about: string;
  readonly fallbackName?: string;
}

type Table = { readonly [Name in keyof ServeOptions]: Row<ServeOptions[Name]> };

export const serveOptionTable: Table = {
  model: {
    kind: list('<model>'),
    fallback: ['gte-small'],
    about: 'what to serve: a known name, owner/name, a directory, or name=model for another name; repeat for several',
  },
  host: { kind: text('<host>'), fallback: '127.0.0.1', about: 'address to listen on; 0.0.0.0 or :: for all' },
  port: { kind: whole(0, 65_535), fallback: 8080, about: 'port to listen on; 0 for any free one' },
  socket: { kind: text('<path>'), fallback: undefined, about: 'listen on this Unix socket instead' },
  apiKey: {
    kind: list('<key>'),
    fallback: [],
    about:
      'a key that clients must send; repeat for several. Others on the machine see flags: prefer the variable or file',
  },
  apiKeyFile: { kind: text('<file>'), fallback: undefined, about: 'more keys, one per line' },
  corsOrigin: {
    kind: list('<origin>'),
    fallback: [],
    about: "a web page's origin that may call; '*' for any; repeat for several",
  },
  tlsCert: { kind: text('<file>'), fallback: undefined, about: 'certificate chain (PEM): speak HTTPS' },
  tlsKey: { kind: text('<file>'), fallback: undefined, about: 'its private key (PEM)' },
  maxBody: {
    kind: size(mostBody, '511MiB'),
    fallback: 8 * 2 ** 20,
    about: 'largest body of a request',
    fallbackName: '8MiB',
  },
  maxBatch: { kind: whole(1, 1_000_000), fallback: 2048, about: 'most texts in a request' },
  maxQueue: {
    kind: whole(1, Number.MAX_SAFE_INTEGER),
    fallback: 4096,
    about: 'most texts in flight per model; beyond, 429',
  },
  requestTimeout: { kind: seconds, fallback: 60, about: 'answer within, or 504' },
  receiveTimeout: { kind: seconds, fallback: 30, about: 'a request must have arrived within, or 408' },
  shutdownTimeout: { kind: seconds, fallback: 30, about: 'after SIGTERM, requests that run may take' },
  device: { kind: choice('auto', 'cpu', 'cuda'), fallback: undefined, about: 'where to compute', fallbackName: 'auto' },
  engine: {
    kind: choice('auto', 'ort', 'encoder'),
    fallback: undefined,
    about: 'what computes: gteway’s own encoder or ONNX Runtime',
    fallbackName: 'auto',
  },
  dtype: {
    kind: choice('auto', 'fp32', 'fp16', 'bf16', 'int8'),
    fallback: undefined,
    about: 'what is computed in',
    fallbackName: 'auto',
  },
  threads: {
    kind: whole(1, 1024),
    fallback: undefined,
    about: 'native threads per model',
    fallbackName: 'what affinity and quota allow',
  },
  maxBatchTokens: {
    kind: whole(1, 2 ** 31 - 1),
    fallback: undefined,
    about: 'tokens computed together',
    fallbackName: "the engine's best",
  },
  vectorCache: {
    kind: size(2 ** 40, '1024GiB'),
    fallback: undefined,
    about: 'keep the vectors of texts that may come again, in so much memory per model',
    fallbackName: 'none',
  },
  cacheDir: {
    kind: text('<directory>'),
    fallback: undefined,
    about: 'where models are kept',
    fallbackName: 'the Hugging Face cache',
  },
  offline: { kind: flag, fallback: undefined, about: 'open no connection: use what the cache has' },
  logLevel: {
    kind: choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    fallback: 'info',
    about: 'least level that is logged; each request is a line of info',
  },
};

export const serveOptionNames = Object.keys(serveOptionTable) as (keyof ServeOptions)[];

export const variablePrefix = 'GTEWAY_SERVE_';
export const configVariable = `${variablePrefix}CONFIG`;

/** `maxBody` → `GTEWAY_SERVE_MAX_BODY` */
export function variableOf(name: keyof ServeOptions): string {
  return variablePrefix + name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** `maxBody` → `--max-body` */
export function flagOf(name: keyof ServeOptions): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Where options come from. Flags are parsed already. */
export interface OptionSources {
  readonly flags: Partial<ServeOptions>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The configuration file's text and its name for messages. */
  readonly file: { readonly name: string; readonly text: string } | undefined;
}

/** Throws TypeError for names that are unknown and RangeError for values that cannot be, naming where they are. */
export function readServeOptions({ flags, env, file }: OptionSources): ServeOptions {
  rejectUnknownVariables(env);
  const fromFile = file === undefined ? {} : parseFile(file.name, file.text);
  const options: Record<string, unknown> = {};
  for (const name of serveOptionNames) {
    const { kind: valueKind, fallback } = serveOptionTable[name];
    const variable = variableOf(name);
    const inEnv = env[variable];
    if (flags[name] !== undefined) options[name] = flags[name];
    else if (inEnv !== undefined && inEnv.trim() !== '')
      options[name] = at(variable, () => valueKind.fromText(inEnv.trim()));
    else if (fromFile[name] !== undefined)
      options[name] = at(`${file?.name}: ${name}`, () => valueKind.fromJson(fromFile[name]));
    else options[name] = fallback;
  }
  return checkTogether(options as unknown as ServeOptions);
}

/** Runs `read` so that what it throws begins with where the value stands. */
function at<Value>(where: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw new RangeError(`${where} ${(error as Error).message}`, { cause: error });
  }
}

function rejectUnknownVariables(env: OptionSources['env']): void {
  const known = [...serveOptionNames.map(variableOf), configVariable];
  const given = Object.keys(env).filter((name) => name.startsWith(variablePrefix));
  rejectUnknownKeys(Object.fromEntries(given.map((name) => [name, true])), known, 'environment');
}

function parseFile(name: string, content: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (cause) {
    throw new RangeError(`${name} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new RangeError(`${name} must hold a JSON object, such as {"port": 8080}`);
  }
  rejectUnknownKeys(parsed, serveOptionNames, name);
  return parsed as Readonly<Record<string, unknown>>;
}

function checkTogether(options: ServeOptions): ServeOptions {
  const { tlsCert, tlsKey, corsOrigin, model } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new RangeError(
      `${tlsCert === undefined ? 'tlsKey' : 'tlsCert'} is set, but not ${tlsCert === undefined ? 'tlsCert' : 'tlsKey'}: HTTPS needs both`,
    );
  }
  for (const origin of corsOrigin) {
    if (origin === '*' || (URL.canParse(origin) && new URL(origin).origin === origin)) continue;
    throw new RangeError(
      `corsOrigin must be '*' or an origin such as 'https://example.com', without a path, not ${show(origin)}`,
    );
  }
  const twice = model.find((name, i) => model.indexOf(name) !== i);
  if (twice !== undefined) throw new RangeError(`model ${show(twice)} is given twice`);
  return options;
}
