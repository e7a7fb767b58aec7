/** `gteway search`: the texts of a file of vectors that are nearest to a query. */
import { Command, Option } from 'commander';
import { type Hit, topK } from '../../search/top-k.js';
import { nonEmpty, wholeNumber } from '../arguments.js';
import { CommandError, UsageError } from '../failure.js';
import { textSource } from '../input.js';
import { addSessionOptions, openSession, type SessionFlags } from '../model-options.js';
import { openOutput } from '../output.js';
import { readVectors, type VectorFile } from '../vector-file/read-vectors.js';
import { addEmbeddingOptions, type EmbeddingFlags, embedOptions } from './embed.js';

interface SearchFlags extends SessionFlags, Omit<EmbeddingFlags, 'pooling'> {
  pooling?: 'mean' | 'cls';
  k: number;
  texts?: string;
  field?: string;
  json?: true;
}

export function searchCommand(): Command {
  const command = new Command('search')
    .summary('the vectors of a file nearest to a query')
    .description(
      'Embeds the query and looks at every vector of a file that gteway embed wrote (.npy or .jsonl): score, tab, number ' +
        'from 0, tab, text, best first. The vectors are held in memory.',
    )
    .argument('<query>', 'what to look for')
    .argument('<file>', 'vectors, as .npy or .jsonl; of the same model and options')
    .addOption(new Option('-k <n>', 'how many to find').argParser(wholeNumber(1)).default(10))
    .addOption(new Option('--texts <file>', 'the texts that were embedded, to show them').argParser(nonEmpty))
    .addOption(new Option('--field <name>', 'which field of a JSON object is the text (default: text)'))
    .addOption(new Option('--json', 'for programs: a line per hit, {"index","score","text"}'))
    .addOption(new Option('--pooling <mode>', 'how tokens become a vector').choices(['mean', 'cls']));
  addEmbeddingOptions(command);
  addSessionOptions(command).addHelpText(
    'after',
    `
Examples:
  gteway embed --file notes.txt --output notes.npy
  gteway search "how do I cook an egg?" notes.npy --texts notes.txt -k 3`,
  );
  return command.action(async (query: string, file: string, flags: SearchFlags) => search(query, file, flags));
}

async function search(query: string, file: string, flags: SearchFlags): Promise<void> {
  if (flags.field !== undefined && flags.texts === undefined)
    throw new UsageError('--field is for the file of --texts');
  const vectors = await readVectors(file);
  const hits = await nearest(query, file, vectors, flags);
  const texts = flags.texts === undefined ? vectors.texts : await textsOf(flags.texts, vectors.rows, file, flags);
  const output = await openOutput(undefined);
  for (const hit of hits) await output.write(line(hit, texts?.[hit.index], flags.json === true));
}

async function nearest(query: string, file: string, vectors: VectorFile, flags: SearchFlags): Promise<Hit[]> {
  const { session, name } = await openSession(flags);
  try {
    const embedded = await session.embed([query], embedOptions(flags, session.info));
    if (vectors.rows === 0) return [];
    if (embedded.dimensions !== vectors.dimensions) {
      throw new CommandError(
        `${file} has vectors of ${vectors.dimensions} values, ${name} gives ${embedded.dimensions}: ` +
          'name the model (and --dimensions) that made them with --model',
      );
    }
    return await topK(embedded.at(0), vectors, flags.k);
  } finally {
    await session.close();
  }
}

/** Line by line those that were embedded, so there must be as many. */
async function textsOf(path: string, rows: number, file: string, { field }: SearchFlags): Promise<string[]> {
  const texts: string[] = [];
  const source = await textSource([], { file: path, ...(field === undefined ? {} : { field }) });
  for await (const group of source.groups) texts.push(...group);
  if (texts.length === rows) return texts;
  throw new CommandError(`${path} has ${texts.length} texts and ${file} ${rows} vectors: they are not of each other`);
}

function line({ index, score }: Hit, text: string | undefined, json: boolean): string {
  if (json) return `${JSON.stringify({ index, score, ...(text === undefined ? {} : { text }) })}\n`;
  return `${[score.toFixed(4), index, ...(text === undefined ? [] : [text])].join('\t')}\n`;
}
