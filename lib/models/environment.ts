/**
 * What the environment says about the hub and the cache. Read at each use, so a program may set it after import.
 *
 * Cache directory, first that is set: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, EXT_AI_CACHE_DIR, HF_HOME + `/hub`,
 * XDG_CACHE_HOME + `/huggingface/hub`, `~/.cache/huggingface/hub`. The `cacheDir` option comes before all of them.
 * EXT_AI_CACHE_DIR is the Supabase Edge runtime's; it keeps single files there, in `model/` and `tokenizer/` below a
 * hash of their URL, without the model's configuration, so the folder is shared with it and the files are not.
 *
 * Token, first that is set: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, the file HF_TOKEN_PATH, the file `token` in HF_HOME.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { GtewayError } from '../errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where models are kept when no `cacheDir` option is given. Absolute. */
export function defaultCacheDirectory(env: Environment = process.env): string {
  const named = first(env, 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'EXT_AI_CACHE_DIR');
  return named === undefined ? join(hubHome(env), 'hub') : resolve(expandHome(named));
}

/** Whether HF_HUB_OFFLINE forbids opening connections (`1`, `true`, `yes` or `on`, in any case). */
export function isOffline(env: Environment = process.env): boolean {
  return /^(?:1|true|yes|on)$/i.test(first(env, 'HF_HUB_OFFLINE') ?? '');
}

/** The hub's address without a trailing slash: HF_ENDPOINT, or the public hub. Throws ERR_HUB_UNREACHABLE on a bad one. */
export function hubEndpoint(env: Environment = process.env): string {
  const text = first(env, 'HF_ENDPOINT') ?? 'https://huggingface.co';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    // The value is not repeated when it may hold a password.
    const shown = text.includes('@') ? '' : ` '${text}'`;
    throw new GtewayError(
      'ERR_HUB_UNREACHABLE',
      `HF_ENDPOINT${shown} is not an address of the form https://host[:port][/path]; correct it, or unset it to use the public hub`,
    );
  }
  return (url.origin + url.pathname).replace(/\/+$/, '');
}

/** Milliseconds of silence after which a connection is given up: HF_HUB_DOWNLOAD_TIMEOUT (in seconds), or 30 s. */
export function hubTimeout(env: Environment = process.env): number {
  const seconds = Number(first(env, 'HF_HUB_DOWNLOAD_TIMEOUT') ?? Number.NaN);
  return seconds > 0 && seconds <= 86_400 ? Math.ceil(seconds * 1000) : 30_000;
}

/** The access token, or undefined. Throws ERR_HUB_ACCESS when the one that is set cannot be a token. */
export async function hubToken(env: Environment = process.env): Promise<string | undefined> {
  const named = first(env, 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN');
  if (named !== undefined) return checkedToken(named, 'HF_TOKEN');
  let path: string;
  let text: string;
  try {
    path = resolve(expandHome(first(env, 'HF_TOKEN_PATH') ?? join(hubHome(env), 'token')));
    text = (await readFile(path, 'utf8')).trim();
  } catch {
    // No token is the usual case; a repository that needs one says so.
    return undefined;
  }
  return text === '' ? undefined : checkedToken(text, path);
}

/** `~` and `~/…` as the shell reads them. */
export function expandHome(path: string): string {
  return /^~(?:[/\\]|$)/.test(path) ? join(homeDirectory(), path.slice(1)) : path;
}

/** Throws ERR_CACHE_WRITE where there is none: a user whom the system does not know, without HOME. */
function homeDirectory(): string {
  try {
    return homedir();
  } catch (cause) {
    throw new GtewayError(
      'ERR_CACHE_WRITE',
      'this user has no home directory, in which the cache of models would be; ' +
        'set HF_HOME to a directory that can be written, such as HF_HOME=/tmp/huggingface, or pass cacheDir',
      { cause },
    );
  }
}

function checkedToken(token: string, origin: string): string {
  if (/^[\u0021-\u007e]+$/.test(token)) return token;
  throw new GtewayError('ERR_HUB_ACCESS', `the access token from ${origin} has characters no token has; set it again`);
}

function hubHome(env: Environment): string {
  const home = first(env, 'HF_HOME');
  if (home !== undefined) return resolve(expandHome(home));
  const cache = first(env, 'XDG_CACHE_HOME');
  return join(cache === undefined ? join(homeDirectory(), '.cache') : resolve(expandHome(cache)), 'huggingface');
}

/** The first of `names` with a value; set but blank counts as unset, as shells and containers often leave it. */
function first(env: Environment, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}
