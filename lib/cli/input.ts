/** Texts from the command line, a file or stdin, read piece by piece so that their size does not matter. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import type { SliceSource } from '../embedding/embed-slices.js';
import { nonEmpty } from './arguments.js';
import { CommandError, systemReason, UsageError } from './failure.js';

export interface InputFlags {
  file?: string;
  input?: 'text' | 'jsonl';
  field?: string;
}

export function addInputOptions(command: Command): Command {
  return command
    .addOption(new Option('-f, --file <file>', "read texts from a file; '-' is stdin").argParser(nonEmpty))
    .addOption(
      new Option('--input <format>', 'text: one text a line; jsonl: a JSON string or object a line')
        .choices(['text', 'jsonl'])
        .default(undefined, 'jsonl for files named .jsonl or .ndjson, otherwise text'),
    )
    .addOption(new Option('--field <name>', 'which field of a JSON object is the text (default: text)'));
}

/** Bytes as they come, and how many there will be. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  readonly stream: Readable;
  /** Undefined where only the end will tell. */
  readonly totalBytes: number | undefined;
}

/** Texts in groups: as many as arrived together. */
export interface TextSource {
  readonly groups: AsyncIterable<string[]>;
  /** Of the file, for a progress bar. */
  readonly totalBytes: number | undefined;
  /** How many of them have been read. */
  bytesRead(): number;
}

/**
 * The texts as `embedSlices` reads them.
 */
export function sliceSource(source: TextSource): SliceSource {
  const iterator = source.groups[Symbol.asyncIterator]();
  return {
    async next() {
      const group = await iterator.next();
      return group.done === true ? undefined : group.value;
    },
    async close() {
      await iterator.return?.();
    },
    position: () => source.bytesRead(),
  };
}

/** Longer lines are refused: V8's strings end at 2^29 - 24 code units, and JSON needs the line twice. */
const longestLine = 2 ** 28;

/**
 * The texts that a command was given: its arguments, or the file of --file, or stdin.
 *
 * Throws UsageError when it was given both, or neither with a terminal as stdin.
 */
export async function textSource(args: readonly string[], flags: InputFlags): Promise<TextSource> {
  if (args.length > 0) {
    for (const flag of ['file', 'input', 'field'] as const) {
      if (flags[flag] !== undefined) throw new UsageError(`--${flag} is for texts from a file or stdin, not arguments`);
    }
    return { groups: asOneGroup(args), totalBytes: undefined, bytesRead: () => 0 };
  }
  const source = await byteSource(flags.file);
  const extension = extname(flags.file ?? '').toLowerCase();
  const format = flags.input ?? (['.jsonl', '.ndjson'].includes(extension) ? 'jsonl' : 'text');
  if (format === 'text' && flags.field !== undefined) {
    throw new UsageError('--field is for JSON lines; add --input jsonl');
  }
  let bytes = 0;
  const counted = counting(source, (count) => (bytes += count));
  const lines = linesOf(counted, source.name);
  return {
    groups: format === 'text' ? withoutNumbers(lines) : jsonTexts(lines, source.name, flags.field ?? 'text'),
    totalBytes: source.totalBytes,
    bytesRead: () => bytes,
  };
}

/** Opens a file, or stdin for `-` and for none. */
export async function byteSource(file: string | undefined): Promise<ByteSource> {
  if (file === undefined || file === '-') {
    if (file === undefined && process.stdin.isTTY) {
      throw new UsageError('no text: give texts as arguments, name a file with --file, or pipe something in');
    }
    return { name: 'stdin', stream: process.stdin, totalBytes: undefined };
  }
  try {
    const { size } = await openable(file);
    return { name: file, stream: createReadStream(file, { highWaterMark: 1 << 18 }), totalBytes: size };
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${systemReason(error)}`, { cause: error });
  }
}

async function openable(file: string): Promise<{ size: number | undefined }> {
  const stats = await stat(file);
  if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' });
  return { size: stats.isFile() ? stats.size : undefined };
}

/** The source's chunks. A failure to read names the source. */
export async function* counting(source: ByteSource, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of source.stream as AsyncIterable<Buffer>) {
      count(chunk.byteLength);
      yield chunk;
    }
  } catch (error) {
    throw new CommandError(`cannot read ${source.name}: ${systemReason(error)}`, { cause: error });
  }
}

export interface Lines {
  readonly lines: string[];
  /** The number of the first, from 1. */
  readonly number: number;
}

/** Lines without their ends (`\n`, `\r\n`). Bytes that are not UTF-8 become U+FFFD; a byte order mark is dropped. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Lines> {
  const decoder = new TextDecoder();
  let unfinished = '';
  let number = 1;
  for await (const chunk of chunks) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n');
    // Joined before the last is taken: one piece without a line end only makes the unfinished line longer.
    lines[0] = unfinished + (lines[0] ?? '');
    unfinished = lines.pop() ?? '';
    if (unfinished.length > longestLine) {
      throw new CommandError(`${name}:${number + lines.length}: the line is longer than ${longestLine} characters`);
    }
    if (lines.length === 0) continue;
    yield { lines: lines.map(withoutReturn), number };
    number += lines.length;
  }
  unfinished += decoder.decode();
  if (unfinished !== '') yield { lines: [withoutReturn(unfinished)], number };
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

async function* withoutNumbers(groups: AsyncIterable<Lines>): AsyncGenerator<string[]> {
  for await (const { lines } of groups) yield lines;
}

async function* asOneGroup(texts: readonly string[]): AsyncGenerator<string[]> {
  yield await Promise.resolve([...texts]);
}

/** Blank lines are skipped, as the format's readers do. */
async function* jsonTexts(groups: AsyncIterable<Lines>, name: string, field: string): AsyncGenerator<string[]> {
  for await (const { lines, number } of groups) {
    yield lines.flatMap((line, i) => (line.trim() === '' ? [] : [jsonText(line, field, `${name}:${number + i}`)]));
  }
}

function jsonText(line: string, field: string, place: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new CommandError(`${place}: this line is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CommandError(`${place}: expected a JSON string or an object with the field '${field}'`);
  }
  const text = (value as Record<string, unknown>)[field];
  if (typeof text === 'string') return text;
  const names = Object.keys(value);
  throw new CommandError(
    text === undefined
      ? `${place}: the object has no field '${field}'; it has ${names.slice(0, 12).join(', ') || 'none'}. ` +
          'Name the one that holds the text with --field'
      : `${place}: the field '${field}' is not a string`,
  );
}
