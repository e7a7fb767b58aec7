/** `gteway similarity`: how alike texts are, by the cosines of their vectors. */
import { Command, Option } from 'commander';
import { embedSlices } from '../../embedding/embed-slices.js';
import { Embeddings } from '../../vectors/embeddings.js';
import { similarityMatrix } from '../../vectors/similarity.js';
import { UsageError } from '../failure.js';
import { addInputOptions, type InputFlags, sliceSource, textSource } from '../input.js';
import { addSessionOptions, openSession, type SessionFlags } from '../model-options.js';
import { openOutput } from '../output.js';
import { TruncationReport } from '../truncation-report.js';
import { addEmbeddingOptions, type EmbeddingFlags, embedOptions } from './embed.js';

type Format = 'table' | 'json' | 'csv';

interface SimilarityFlags extends SessionFlags, InputFlags, Omit<EmbeddingFlags, 'pooling'> {
  pooling?: 'mean' | 'cls';
  format: Format;
}

export function similarityCommand(): Command {
  const command = new Command('similarity')
    .summary('how alike texts are')
    .description(
      'The cosine of two texts, or of every pair of more: 1 the same direction, 0 unrelated, -1 opposite. ' +
        'Two texts give one number, more give a matrix in their order.',
    )
    .argument('[text...]', 'two or more texts; without any, the lines of stdin');
  addInputOptions(command)
    .addOption(new Option('--format <format>', 'how to write it').choices(['table', 'json', 'csv']).default('table'))
    .addOption(new Option('--pooling <mode>', 'how tokens become a vector').choices(['mean', 'cls']));
  addEmbeddingOptions(command);
  addSessionOptions(command).addHelpText(
    'after',
    `
Examples:
  gteway similarity "a small dog" "a little puppy"
  gteway similarity --file sentences.txt --format csv > cosines.csv`,
  );
  return command.action(async (texts: string[], flags: SimilarityFlags) => similarity(texts, flags));
}

async function similarity(args: readonly string[], flags: SimilarityFlags): Promise<void> {
  if (args.length === 1) throw new UsageError('similarity needs two texts at least; there is one');
  const source = await textSource(args, flags);
  const { session } = await openSession(flags);
  let vectors: Embeddings;
  try {
    const slices: Embeddings[] = [];
    const options = embedOptions(flags, session.info);
    const embed = (texts: readonly string[], signal: AbortSignal): Promise<Embeddings> =>
      session.embed(texts, { ...options, signal });
    for await (const { embeddings } of embedSlices(sliceSource(source), embed)) slices.push(embeddings);
    vectors = concatenated(slices, flags.dimensions ?? session.info.dimensions);
    if (vectors.rows < 2) throw new UsageError(`similarity needs two texts at least; there is ${vectors.rows}`);
    const truncation = new TruncationReport();
    truncation.add(vectors.truncated);
    truncation.tell(session.info.maxTokens);
  } finally {
    await session.close();
  }
  const output = await openOutput(undefined);
  for (const piece of written(vectors, flags.format)) await output.write(piece);
}

function concatenated(slices: readonly Embeddings[], dimensions: number): Embeddings {
  const data = new Float32Array(slices.reduce((sum, slice) => sum + slice.data.length, 0));
  let next = 0;
  for (const slice of slices) {
    data.set(slice.data, next);
    next += slice.data.length;
  }
  const tokens = Uint32Array.from(slices.flatMap((slice) => Array.from(slice.tokens)));
  return new Embeddings(
    data,
    dimensions,
    tokens,
    slices.flatMap((slice) => slice.truncated),
  );
}

/** Rows of the matrix computed at a time: a matrix of many texts is larger than all their vectors. */
const rowsAtOnce = 256;

function* written(vectors: Embeddings, format: Format): Iterable<string> {
  if (vectors.rows === 2) {
    const [, cosine = Number.NaN] = similarityMatrix(vectors).data;
    yield `${format === 'table' ? cosine.toFixed(4) : cosine}\n`;
    return;
  }
  if (format === 'json') yield '[';
  const width = Math.max(7, String(vectors.rows).length + 1);
  if (format === 'table') {
    yield `${Array.from({ length: vectors.rows + 1 }, (_, i) => (i === 0 ? '' : String(i)).padStart(width)).join('')}\n`;
  }
  let number = 0;
  for (const row of cosineRows(vectors)) {
    number++;
    if (format === 'csv') yield `${row.join(',')}\n`;
    else if (format === 'json') yield `${number === 1 ? '\n' : ',\n'}${JSON.stringify(Array.from(row))}`;
    else
      yield `${[String(number), ...Array.from(row, (cosine) => cosine.toFixed(4))].map((cell) => cell.padStart(width)).join('')}\n`;
  }
  if (format === 'json') yield '\n]\n';
}

function* cosineRows(vectors: Embeddings): Iterable<Float32Array> {
  const { data, rows, dimensions } = vectors;
  for (let first = 0; first < rows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - first);
    const block = { data: data.subarray(first * dimensions, (first + count) * dimensions), rows: count, dimensions };
    const cosines = similarityMatrix(block, vectors).data;
    for (let row = 0; row < count; row++) yield cosines.subarray(row * rows, (row + 1) * rows);
  }
}
