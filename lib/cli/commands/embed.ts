/** `gteway embed`: texts in, vectors out, of any number. */
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { Command, Option } from 'commander';
import { embedSlices, type SliceSource } from '../../embedding/embed-slices.js';
import type { EmbedOptions } from '../../embedding/embed-options.js';
import { type Prompt, promptText } from '../../embedding/prompt.js';
import type { SessionInfo } from '../../engines/session-info.js';
import type { Session } from '../../session.js';
import { nonEmpty, wholeNumber } from '../arguments.js';
import { UsageError } from '../failure.js';
import {
  addChunkOptions,
  ChunkedTexts,
  type ChunkFlags,
  type Chunking,
  chunkIdentity,
  chunkingOf,
} from '../chunked-texts.js';
import { addInputOptions, type InputFlags, sliceSource, textSource } from '../input.js';
import { addSessionOptions, openSession, type SessionFlags } from '../model-options.js';
import { chunkSetting, type Settings } from '../vector-file/journal.js';
import { openOutput, type Output, type ReplaceableFile, replaceableFile } from '../output.js';
import { PartialOutput } from '../vector-file/partial-output.js';
import { progress } from '../progress.js';
import { ResumableRun } from '../vector-file/resume.js';
import { TruncationReport } from '../truncation-report.js';
import { formatNames, type FormatName, vectorFormat, type VectorFormat } from '../vector-file/vector-formats.js';

/** How texts become vectors; shared with `similarity`. */
export interface EmbeddingFlags {
  pooling?: 'mean' | 'cls' | 'none';
  prompt?: string;
  promptText?: string;
  normalize: boolean;
  truncate: boolean;
  dimensions?: number;
}

interface EmbedFlags extends SessionFlags, InputFlags, EmbeddingFlags, ChunkFlags {
  format?: FormatName;
  output?: string;
  resume?: boolean;
}

export function embedCommand(): Command {
  const command = new Command('embed')
    .summary('turn texts into vectors')
    .description('Turn texts into vectors: those given, or every line of a file or of stdin, in their order.')
    .argument('[text...]', 'the texts; without any, stdin is read');
  addInputOptions(command)
    .addOption(new Option('-o, --output <file>', 'write here, all or nothing (default: stdout)').argParser(nonEmpty))
    .addOption(new Option('--resume', 'go on with an output that was interrupted, after the texts that are done'))
    .addOption(
      new Option('--format <format>', 'json, jsonl, csv or npy')
        .choices(formatNames)
        .default(undefined, "by the output file's name; otherwise json for arguments, jsonl for files and stdin"),
    )
    .addOption(new Option('--pooling <mode>', 'one vector per text, or per token').choices(['mean', 'cls', 'none']));
  addChunkOptions(addEmbeddingOptions(command));
  addSessionOptions(command).addHelpText('after', help);
  return command.action(async (texts: string[], flags: EmbedFlags) => {
    checkChunkFlags(flags, command.getOptionValueSource('truncate') === 'cli');
    await embed(texts, flags);
  });
}

export function addEmbeddingOptions(command: Command): Command {
  return command
    .addOption(new Option('--prompt <name>', "what comes before each text: a name of the model's own prompts"))
    .addOption(new Option('--prompt-text <text>', 'the same, as it is').conflicts('prompt'))
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

With --chunk there is a row for each chunk, and none for an empty text. json, jsonl and csv say where it is from: the number
of its text from 0, start and end in UTF-16 units, its tokens, and with --by markdown its headings. npy has the rows alone.
  json   {"document":0,"start":0,"end":812,"tokens":200,"embedding":[…]} in an array
  jsonl  {"index":0,"document":0,"start":0,"end":812,"tokens":200,"embedding":[…]}
  csv    document,start,end,tokens, with --by markdown the headings as JSON, then the values

Examples:
  gteway embed "Hello world"
  gteway embed --file texts.txt --output vectors.npy
  gteway embed --file texts.txt --output vectors.npy --resume
  gteway embed --chunk 256 --overlap 32 --by markdown --file pages.jsonl --output chunks.jsonl
  zcat articles.jsonl.gz | gteway embed --input jsonl --field body > vectors.jsonl`;

/** `truncateGiven`: whether --truncate or --no-truncate was. */
function checkChunkFlags({ chunk, overlap, by, pooling }: EmbedFlags, truncateGiven: boolean): void {
  if (chunk === undefined) {
    for (const [name, value] of Object.entries({ overlap, by })) {
      if (value !== undefined) throw new UsageError(`--${name} is about chunks: say how long they may be with --chunk`);
    }
    return;
  }
  if (pooling === 'none') throw new UsageError('--pooling none gives no vector of a chunk; use mean or cls');
  if (truncateGiven) throw new UsageError('with --chunk nothing is too long: no --truncate and no --no-truncate');
}

async function embed(args: readonly string[], flags: EmbedFlags): Promise<void> {
  const formatName = flags.format ?? formatOf(flags.output) ?? (args.length > 0 ? 'json' : 'jsonl');
  const perToken = flags.pooling === 'none';
  if (perToken && (formatName === 'csv' || formatName === 'npy')) {
    throw new UsageError(`--pooling none gives a matrix per text, which ${formatName} cannot hold; use json or jsonl`);
  }
  if (formatName === 'npy' && flags.output === undefined && process.stdout.isTTY) {
    throw new UsageError('npy is a binary format: name a file with --output, or pipe it somewhere');
  }
  if (flags.resume === true && flags.output === undefined) {
    throw new UsageError('--resume goes on with an output file: name it with --output');
  }
  const source = await textSource(args, flags);
  const { session, name } = await openSession(flags);
  try {
    const options = embedOptions(flags, session.info);
    const chunking = flags.chunk === undefined ? undefined : await chunkingOf(session, options.prompt, flags);
    const { totalBytes } = source;
    const texts = sliceSource(source);
    const chunked = chunking === undefined ? undefined : new ChunkedTexts(texts, chunking);
    const rowTexts = chunked?.source ?? texts;
    const work: Work = { source: rowTexts, totalBytes, chunking, chunked, session, options, formatName, perToken };
    const file = flags.output === undefined ? undefined : await replaceableFile(flags.output);
    if (file !== undefined) {
      await embedIntoFile(work, file, flags, await settingsOf(work, name));
    } else if (flags.resume === true) {
      throw new UsageError(`--resume needs a regular file as the output; ${flags.output} is none`);
    } else {
      await embedOnto(work, flags.output);
    }
  } finally {
    await session.close();
  }
}

interface Work {
  /** Of the texts, or of their chunks. */
  readonly source: SliceSource;
  readonly totalBytes: number | undefined;
  readonly chunking: Chunking | undefined;
  readonly chunked: ChunkedTexts | undefined;
  readonly session: Session;
  readonly options: EmbedOptions;
  readonly formatName: FormatName;
  readonly perToken: boolean;
}

/** Onto stdout, or what cannot be replaced by another file, such as a named pipe. */
async function embedOnto(work: Work, path: string | undefined): Promise<void> {
  const format = formatOfWork(work, 0);
  const output = await openOutput(path, { patchable: format.patch !== undefined });
  try {
    const truncation = new TruncationReport();
    await output.write(format.head());
    await writeRows(output, format, work, work.source, truncation);
    await writeEnd(output, format);
    await output.finish();
    truncation.tell(work.session.info.maxTokens);
  } finally {
    await output.discard();
  }
}

/** Into a file that appears when it is complete, and until then can be resumed. */
async function embedIntoFile(
  work: Work,
  file: ReplaceableFile,
  { output: path = '', resume = false }: EmbedFlags,
  settings: Settings,
): Promise<void> {
  const output = await PartialOutput.open(path, file.target, file.mode, resume);
  try {
    const run = await ResumableRun.open(output, path, work.session, work.options, settings);
    const { chunked } = work;
    const source = await run.remaining(
      work.source,
      chunked === undefined ? undefined : ({ length }) => chunked.take(length).map(chunkIdentity),
    );
    const { texts, cut, firstCut } = run.begin;
    const truncation = new TruncationReport(texts, cut, firstCut);
    const format = formatOfWork(work, texts);
    if (texts === 0) await output.write(format.head());
    await writeRows(output, format, work, source, truncation, { textsBefore: texts, run });
    await writeEnd(output, format);
    await output.finish();
    truncation.tell(work.session.info.maxTokens);
  } finally {
    await output.discard();
  }
}

/** What the rows depend on, besides the texts and the weights. */
async function settingsOf({ session, options, formatName, chunking }: Work, model: string): Promise<Settings> {
  const { info } = session;
  return {
    'the model': model,
    'the engine': info.engine,
    'the device': info.device,
    dtype: info.dtype,
    "the size of the model's file": (await stat(info.modelFile)).size,
    pooling: options.pooling ?? info.pooling,
    normalize: options.normalize ?? true,
    truncate: options.truncate ?? true,
    ...(options.prompt === undefined ? {} : { 'the prompt': promptText(options.prompt, info) }),
    'the number of dimensions': options.dimensions ?? info.dimensions,
    'the format': formatName,
    ...(chunking === undefined
      ? {}
      : {
          [chunkSetting]: chunking.options.maxTokens,
          'the overlap of chunks': chunking.options.overlap,
          'where chunks are cut': chunking.options.by,
        }),
  };
}

function formatOfWork({ formatName, options, session, perToken }: Work, textsBefore: number): VectorFormat {
  return vectorFormat(formatName, {
    dimensions: options.dimensions ?? session.info.dimensions,
    perToken,
    textsBefore,
  });
}

/** The flags as options of `session.embed`. Throws UsageError for more dimensions than the model has. */
export function embedOptions(flags: EmbeddingFlags, info: SessionInfo): EmbedOptions {
  const { pooling, normalize, truncate, dimensions } = flags;
  const prompt = promptOf(flags, info);
  if (dimensions !== undefined && dimensions > info.dimensions) {
    throw new UsageError(`--dimensions ${dimensions} is more than the ${info.dimensions} that the model has`);
  }
  return {
    normalize,
    truncate,
    ...(prompt === undefined ? {} : { prompt }),
    ...(pooling === undefined ? {} : { pooling }),
    ...(dimensions === undefined ? {} : { dimensions }),
  };
}

function promptOf({ prompt, promptText: text }: EmbeddingFlags, info: SessionInfo): Prompt | undefined {
  if (text !== undefined) return { text };
  if (prompt === undefined || Object.hasOwn(info.prompts, prompt)) return prompt;
  const names = Object.keys(info.prompts);
  const there = names.length === 0 ? 'it names none' : `it has ${names.join(', ')}`;
  throw new UsageError(`--prompt ${prompt}: ${info.model} has no such prompt; ${there}. --prompt-text takes any text`);
}

function formatOf(file: string | undefined): FormatName | undefined {
  const extension = extname(file ?? '')
    .slice(1)
    .toLowerCase();
  return formatNames.find((name) => name === extension);
}

interface Place {
  readonly textsBefore: number;
  readonly run?: ResumableRun;
}

/** Embeds what the source gives, and writes it piece by piece. */
async function writeRows(
  output: Pick<Output, 'write'>,
  format: VectorFormat,
  { totalBytes, chunked, session, options: given }: Work,
  source: SliceSource,
  truncation: TruncationReport,
  { textsBefore, run }: Place = { textsBefore: 0 },
): Promise<void> {
  const bar = progress('embedding', totalBytes, source.position?.());
  const begin = performance.now();
  // Chunks fit the model; were one not to, that must not be silent.
  const options = chunked === undefined ? given : { ...given, truncate: false };
  const items = chunked === undefined ? 'texts' : 'chunks';
  let texts = 0;
  try {
    const slices = embedSlices(source, (slice, signal) => session.embed(slice, { ...options, signal }));
    for await (const slice of slices) {
      const chunks = chunked?.take(slice.texts.length);
      for (const piece of joined(format.texts(slice.embeddings, chunks))) await output.write(piece);
      truncation.add(slice.embeddings.truncated);
      texts += slice.texts.length;
      await run?.wrote(chunks?.map(chunkIdentity) ?? slice.texts, truncation);
      const rate = Math.round(texts / ((performance.now() - begin) / 1000)).toLocaleString('en');
      bar.update(slice.position, `${(textsBefore + texts).toLocaleString('en')} ${items}, ${rate}/s`);
    }
  } finally {
    bar.stop();
  }
}

async function writeEnd(output: Pick<Output, 'write' | 'patch'>, format: VectorFormat): Promise<void> {
  await output.write(format.tail());
  if (format.patch !== undefined) await output.patch(format.patch());
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
