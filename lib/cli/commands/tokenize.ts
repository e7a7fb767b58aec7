/** `gteway tokenize`: the ids a model sees, the tokens they stand for, or how many there are. */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { Tokenizer } from '../../tokenizer/tokenizer.js';
import { parseTokenizerJson } from '../../tokenizer/tokenizer-json.js';
import { wholeNumber } from '../arguments.js';
import { UsageError } from '../failure.js';
import { addInputOptions, byteSource, counting, type InputFlags, textSource } from '../input.js';
import { addModelOptions, type ModelFlags, openTokenizer } from '../model-options.js';
import { openOutput } from '../output.js';
import { megabytes, progress } from '../progress.js';
import { countTokens, cutPattern } from '../token-count.js';
import { TruncationReport } from '../truncation-report.js';

interface TokenizeFlags extends ModelFlags, InputFlags {
  tokens?: true;
  count?: true;
  specialTokens?: boolean;
  maxTokens?: number;
}

export function tokenizeCommand(): Command {
  const command = new Command('tokenize')
    .summary("texts as the model's tokens")
    .description(
      "Token ids of texts, a JSON array per line, cut at the model's limit as an embedding would be. Fetches no weights.",
    )
    .argument('[text...]', 'the texts; without any, the lines of stdin');
  addInputOptions(command)
    .option('--tokens', 'write the tokens as the vocabulary spells them, instead of ids')
    .option('--count', 'write only how many tokens there are, nothing cut, special tokens not counted')
    .addOption(new Option('--max-tokens <n>', 'cut at so many tokens instead').argParser(wholeNumber(1)))
    .addOption(new Option('--special-tokens', "with the model's special tokens (default: except with --count)"))
    .addOption(new Option('--no-special-tokens', 'without them'));
  addModelOptions(command).addHelpText(
    'after',
    `
--count gives a number for each argument. Of a file or stdin it gives one number: the tokens of the whole, taken as one
text, whatever its size, in constant memory. With --input jsonl, that of all its texts together.

Examples:
  gteway tokenize "Hello world"
  gteway tokenize --tokens "unaffordable"
  gteway tokenize --count --file book.txt`,
  );
  return command.action(async (texts: string[], flags: TokenizeFlags) => tokenize(texts, flags));
}

async function tokenize(args: readonly string[], flags: TokenizeFlags): Promise<void> {
  if (flags.count && flags.tokens) throw new UsageError('--count and --tokens exclude each other');
  if (flags.count && flags.maxTokens !== undefined) throw new UsageError('--count counts everything; no --max-tokens');
  if (!flags.count) return writeTokens(args, flags);
  const isJson = flags.input === 'jsonl' || /\.(?:jsonl|ndjson)$/i.test(flags.file ?? '');
  return args.length > 0 || isJson ? countTexts(args, flags) : countWhole(flags);
}

async function writeTokens(args: readonly string[], flags: TokenizeFlags): Promise<void> {
  const source = await textSource(args, flags);
  const { directory } = await openTokenizer(flags);
  const tokenizer = await Tokenizer.fromDirectory(directory);
  const addSpecialTokens = flags.specialTokens ?? true;
  const maxTokens = flags.maxTokens ?? tokenizer.maxTokens;
  checkLimit(maxTokens, tokenizer, addSpecialTokens);
  const options = { addSpecialTokens, maxTokens };
  const truncation = new TruncationReport();
  const output = await openOutput(undefined);
  for await (const texts of source.groups) {
    let lines = '';
    for (const text of texts) {
      const { ids, truncated } = tokenizer.encode(text, options);
      lines += `${JSON.stringify(flags.tokens ? tokenizer.tokens(text, options) : Array.from(ids))}\n`;
      truncation.add([truncated]);
    }
    await output.write(lines);
  }
  truncation.tell(maxTokens);
}

function checkLimit(maxTokens: number, tokenizer: Tokenizer, addSpecialTokens: boolean): void {
  const special = addSpecialTokens ? tokenizer.count('') : 0;
  if (maxTokens >= special) return;
  throw new UsageError(
    `--max-tokens ${maxTokens} has no room for the ${special} special tokens; add --no-special-tokens`,
  );
}

/** A number per argument, or one for all texts of JSON lines. */
async function countTexts(args: readonly string[], flags: TokenizeFlags): Promise<void> {
  const source = await textSource(args, flags);
  const tokenizer = await Tokenizer.fromDirectory((await openTokenizer(flags)).directory);
  const options = { addSpecialTokens: flags.specialTokens ?? false };
  const output = await openOutput(undefined);
  let total = 0;
  for await (const texts of source.groups) {
    for (const text of texts) {
      const count = tokenizer.count(text, options);
      total += count;
      if (args.length > 0) await output.write(`${count}\n`);
    }
  }
  if (args.length === 0) await output.write(`${total}\n`);
}

async function countWhole(flags: TokenizeFlags): Promise<void> {
  if (flags.field !== undefined) throw new UsageError('--field is for JSON lines; add --input jsonl');
  const source = await byteSource(flags.file);
  const { directory, tokenizerPath } = await openTokenizer(flags);
  const tokenizer = await Tokenizer.fromDirectory(directory);
  const config = parseTokenizerJson(await readFile(tokenizerPath, 'utf8'), tokenizerPath);
  const bar = progress('counting', source.totalBytes);
  let bytes = 0;
  const chunks = counting(source, (count) => {
    bytes += count;
    bar.update(bytes, megabytes(bytes));
  });
  try {
    const total = await countTokens(chunks, tokenizer, cutPattern(config), source.name);
    bar.stop();
    const special = flags.specialTokens === true ? tokenizer.count('') : 0;
    await (await openOutput(undefined)).write(`${total + special}\n`);
  } finally {
    bar.stop();
  }
}
