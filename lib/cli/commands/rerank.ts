/** `gteway rerank`: texts in the order in which they answer a query. */
import { Command, Option } from 'commander';
import { Reranker } from '../../reranker.js';
import type { Ranked } from '../../reranking/ranking.js';
import { ranked } from '../../reranking/ranking.js';
import { wholeNumber } from '../arguments.js';
import { UsageError } from '../failure.js';
import { addInputOptions, type InputFlags, textSource } from '../input.js';
import { addSessionOptions, type SessionFlags, sessionOptions } from '../model-options.js';
import { openOutput } from '../output.js';
import { downloadProgress } from '../progress.js';
import { TruncationReport } from '../truncation-report.js';

/** What runs where nobody names a model. */
const defaultReranker = 'ms-marco-MiniLM-L6-v2';

interface RerankFlags extends SessionFlags, InputFlags {
  top?: number;
  raw?: true;
  truncate: boolean;
  format: 'text' | 'jsonl';
}

export function rerankCommand(): Command {
  const command = new Command('rerank')
    .summary('texts in the order in which they answer a query')
    .description(
      'Scores texts against a query with a reranker and writes them best first: score, tab, text. The texts are the ' +
        'lines of a file or of stdin; all of them are held in memory.',
    )
    .argument('<query>', 'what the texts should answer')
    .argument('[file]', "a file of texts, as with --file; '-' is stdin, and so is none");
  addInputOptions(command)
    .addOption(new Option('--top <n>', 'only so many, the best ones').argParser(wholeNumber(1)))
    .addOption(new Option('--raw', "the model's logits as they are"))
    .addOption(new Option('--no-truncate', 'fail for a text that is too long instead of cutting it'))
    .addOption(new Option('--format <format>', 'how to write it').choices(['text', 'jsonl']).default('text'));
  addSessionOptions(command, defaultReranker).addHelpText(
    'after',
    `
Examples:
  gteway rerank "who wrote Faust?" passages.txt --top 3
  grep -rh Faust notes/ | gteway rerank "who wrote Faust?"`,
  );
  return command.action(async (query: string, file: string | undefined, flags: RerankFlags) =>
    rerank(query, file, flags),
  );
}

async function rerank(query: string, file: string | undefined, flags: RerankFlags): Promise<void> {
  if (file !== undefined && flags.file !== undefined) throw new UsageError('a file is given twice: as --file, too');
  const texts: string[] = [];
  const source = await textSource([], { ...flags, ...(file === undefined ? {} : { file }) });
  const bar = downloadProgress();
  const model = flags.model ?? defaultReranker;
  await using reranker = new Reranker(model, { ...sessionOptions(flags), onProgress: bar.onProgress });
  try {
    await reranker.ready();
  } finally {
    bar.stop();
  }
  for await (const group of source.groups) texts.push(...group);
  const { scores, truncated } = await reranker.rerankScores(query, texts, {
    truncate: flags.truncate,
    ...(flags.raw === true ? { activation: 'none' } : {}),
  });
  const truncation = new TruncationReport();
  truncation.add(truncated);
  truncation.tell(reranker.info.maxTokens);
  const output = await openOutput(undefined);
  for (const result of ranked(scores, { topK: flags.top, texts })) await output.write(line(result, flags.format));
}

function line(result: Ranked, format: RerankFlags['format']): string {
  return format === 'jsonl' ? `${JSON.stringify(result)}\n` : `${result.score.toFixed(4)}\t${result.text ?? ''}\n`;
}
