/** `gteway embed`: texts in, vectors out, of any number. */
import { extname } from 'node:path';
import { Command, Option } from 'commander';
import type { Embeddings } from '../../embeddings.js';
import { embedSlices } from '../../embed-stream.js';
import type { EmbedOptions } from '../../embed-options.js';
import type { SessionInfo } from '../../embedding-session.js';
import { nonEmpty, wholeNumber } from '../arguments.js';
import { note, UsageError } from '../failure.js';
import { addInputOptions, type InputFlags, textSource, type TextSource } from '../input.js';
import { addSessionOptions, openSession, type SessionFlags } from '../model-options.js';
import { openOutput, type Output } from '../output.js';
import { type Progress, progress } from '../progress.js';
import { formatNames, type FormatName, vectorFormat, type VectorFormat } from '../vector-formats.js';

/** How texts become vectors; shared with `similarity`. */
export interface EmbeddingFlags {
  pooling?: 'mean' | 'cls' | 'none';
  normalize: boolean;
  truncate: boolean;
  dimensions?: number;
}

interface EmbedFlags extends SessionFlags, InputFlags, EmbeddingFlags {
  format?: FormatName;
  output?: string;
}

export function embedCommand(): Command {
  const command = new Command('embed')
    .summary('turn texts into vectors')
    .description('Turn texts into vectors: those given, or every line of a file or of stdin, in their order.')
    .argument('[text...]', 'the texts; without any, stdin is read');
  addInputOptions(command)
    .addOption(new Option('-o, --output <file>', 'write here, all or nothing (default: stdout)').argParser(nonEmpty))
    .addOption(
      new Option('--format <format>', 'json, jsonl, csv or npy')
        .choices(formatNames)
        .default(undefined, "by the output file's name; otherwise json for arguments, jsonl for files and stdin"),
    )
    .addOption(new Option('--pooling <mode>', 'one vector per text, or per token').choices(['mean', 'cls', 'none']));
  addEmbeddingOptions(command);
  addSessionOptions(command).addHelpText('after', help);
  return command.action(async (texts: string[], flags: EmbedFlags) => embed(texts, flags));
}

export function addEmbeddingOptions(command: Command): Command {
  return command
    .option('--no-normalize', 'keep the vectors as long as they come, instead of length 1')
    .addOption(
      new Option('--dimensions <n>', 'keep the first n values, for models trained for it').argParser(wholeNumber(1)),
    )
    .option('--truncate', 'cut texts that are too long for the model', true)
    .option('--no-truncate', 'fail on texts that are too long for the model');
}

const help = `
Formats:
  json   an array of vectors
  jsonl  a line per text: {"index":0,"tokens":4,"truncated":false,"embedding":[…]}
  csv    a line per text: the vector's values
  npy    NumPy's format: a float32 matrix, texts × dimensions

Examples:
  gteway embed "Hello world"
  gteway embed --file texts.txt --output vectors.npy
  zcat articles.jsonl.gz | gteway embed --input jsonl --field body > vectors.jsonl`;

async function embed(args: readonly string[], flags: EmbedFlags): Promise<void> {
  const formatName = flags.format ?? formatOf(flags.output) ?? (args.length > 0 ? 'json' : 'jsonl');
  const perToken = flags.pooling === 'none';
  if (perToken && (formatName === 'csv' || formatName === 'npy')) {
    throw new UsageError(`--pooling none gives a matrix per text, which ${formatName} cannot hold; use json or jsonl`);
  }
  if (formatName === 'npy' && flags.output === undefined && process.stdout.isTTY) {
    throw new UsageError('npy is a binary format: name a file with --output, or pipe it somewhere');
  }
  const source = await textSource(args, flags);
  const { session } = await openSession(flags);
  let output: Output | undefined;
  try {
    const options = embedOptions(flags, session.info);
    const format = vectorFormat(formatName, options.dimensions ?? session.info.dimensions, perToken);
    output = await openOutput(flags.output, { patchable: format.patch !== undefined });
    const embedded = embedSlices((texts, signal) => session.embed(texts, { ...options, signal }), source.groups);
    await write(output, format, source, session.info, embedded);
    await output.finish();
  } finally {
    await output?.discard();
    await session.close();
  }
}

/** The flags as options of `session.embed`. Throws UsageError for more dimensions than the model has. */
export function embedOptions(flags: EmbeddingFlags, info: SessionInfo): EmbedOptions {
  const { pooling, normalize, truncate, dimensions } = flags;
  if (dimensions !== undefined && dimensions > info.dimensions) {
    throw new UsageError(`--dimensions ${dimensions} is more than the ${info.dimensions} that the model has`);
  }
  return {
    normalize,
    truncate,
    ...(pooling === undefined ? {} : { pooling }),
    ...(dimensions === undefined ? {} : { dimensions }),
  };
}

function formatOf(file: string | undefined): FormatName | undefined {
  const extension = extname(file ?? '')
    .slice(1)
    .toLowerCase();
  return formatNames.find((name) => name === extension);
}

async function write(
  output: Output,
  format: VectorFormat,
  source: TextSource,
  info: SessionInfo,
  embedded: AsyncIterable<Embeddings>,
): Promise<void> {
  const bar = progress('embedding', source.totalBytes);
  const truncation = new TruncationReport();
  let texts = 0;
  try {
    await output.write(format.head());
    for await (const embeddings of embedded) {
      for (const piece of joined(format.texts(embeddings))) await output.write(piece);
      truncation.add(embeddings.truncated);
      texts += embeddings.tokens.length;
      report(bar, source, texts);
    }
    await output.write(format.tail());
    if (format.patch !== undefined) await output.patch(format.patch());
  } finally {
    bar.stop();
  }
  truncation.tell(info.maxTokens);
}

function report(bar: Progress, source: TextSource, texts: number): void {
  bar.update(source.bytesRead(), `${texts.toLocaleString('en')} texts`);
}

/** Counts the texts that were cut, and says so once at the end. */
export class TruncationReport {
  #texts = 0;
  #cut = 0;
  #first = 0;

  add(truncated: readonly boolean[]): void {
    for (const isCut of truncated) {
      this.#texts++;
      if (isCut && this.#cut++ === 0) this.#first = this.#texts;
    }
  }

  tell(maxTokens: number): void {
    if (this.#cut === 0) return;
    note(
      `${this.#cut} of ${this.#texts} texts had more than ${maxTokens} tokens and were cut (the first: number ` +
        `${this.#first})`,
    );
  }
}

const pieceCharacters = 1 << 18;

/** Short strings joined into pieces worth a system call; bytes as they are. */
function* joined(pieces: Iterable<string | Uint8Array>): Iterable<string | Uint8Array> {
  let text = '';
  for (const piece of pieces) {
    if (typeof piece !== 'string') {
      yield piece;
      continue;
    }
    text += piece;
    if (text.length < pieceCharacters) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}
