#!/usr/bin/env node
/** The command line of gteway. Results go to stdout, everything else to stderr; exit codes: 0, 1 failed, 2 misused. */
import { Command, CommanderError } from 'commander';
import { demoCommand } from './commands/demo.js';
import { doctorCommand } from './commands/doctor.js';
import { embedCommand } from './commands/embed.js';
import { infoCommand } from './commands/info.js';
import { pullCommand } from './commands/pull.js';
import { rerankCommand } from './commands/rerank.js';
import { searchCommand } from './commands/search.js';
import { serveCommand } from './commands/serve.js';
import { similarityCommand } from './commands/similarity.js';
import { syncCommand } from './commands/sync.js';
import { tokenizeCommand } from './commands/tokenize.js';
import { exitCodes, note, reportFailure, systemReason } from './failure.js';
import { exitOnSignals, undoAll } from './interruption.js';
import { packageVersion } from './package-facts.js';

const commands = [
  embedCommand,
  similarityCommand,
  searchCommand,
  rerankCommand,
  tokenizeCommand,
  serveCommand,
  syncCommand,
  pullCommand,
  infoCommand,
  doctorCommand,
  demoCommand,
] as const;

function program(): Command {
  const root = new Command('gteway')
    .description('Text embeddings at the speed of the hardware.')
    .version(packageVersion())
    .showHelpAfterError(false);
  for (const command of commands) root.addCommand(command());
  for (const command of [root, ...root.commands.flatMap((each) => [each, ...each.commands])]) {
    command.exitOverride().configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'gteway: ')),
    });
  }
  return root;
}

/** A reader that has enough (`| head`) ends the command quietly; a disk that is full does not. */
function onOutputError(error: NodeJS.ErrnoException): void {
  undoAll();
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  note(`cannot write to stdout: ${systemReason(error)}`);
  process.exit(exitCodes.failure);
}

async function main(): Promise<void> {
  exitOnSignals();
  process.stdout.on('error', onOutputError);
  // With stderr closed there is nobody to tell.
  process.stderr.on('error', () => undefined);
  try {
    await program().parseAsync();
  } catch (error) {
    undoAll();
    process.exitCode = error instanceof CommanderError ? codeOf(error) : reportFailure(error);
  }
}

/** Commander has told the user already. Asking for help or the version is no misuse; giving no command is. */
function codeOf({ exitCode }: CommanderError): number {
  return exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}

await main();
