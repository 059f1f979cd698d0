import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ConfigurationError, loadConfig } from '../config.ts';
import { createLogger } from '../logger.ts';
import { addBudgetCommands } from './budgets.ts';
import { importModelFile, importPriceFile, listModels, listPrices } from './catalog.ts';
import { chat } from './chat.ts';
import { describeFailure } from './describe-failure.ts';
import { serve } from './serve.ts';
import { addSpendCommands } from './spend-commands.ts';
import type { CommandLine } from './tool.ts';
import { createTopicsCommand } from './topics.ts';

/** A day: a timer that is set for longer than some weeks fires at once. */
const LONGEST_WAIT_SECONDS = 86_400;

/**
 * Runs one command.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration
 */
export async function runCommandLine(line: CommandLine): Promise<number> {
  let exitCode = 0;
  const configured = (serving = false) => loadConfig(line.env, { readFile: line.readFile, serve: serving });
  /** A command beside the service: its output is for people, so only what went wrong is logged. */
  const tool = () => ({
    config: configured(),
    logger: createLogger({ level: 'error' }),
    print: (text: string) => void line.stdout.write(text),
    readFile: line.readFile,
  });

  const program = new Command('completion-bus')
    .description('Kafka as a front door for chat models')
    .version(line.version)
    .configureOutput({
      writeOut: (text) => void line.stdout.write(text),
      writeErr: (text) => void line.stderr.write(text),
    })
    .exitOverride();

  program
    .command('serve')
    .description('answer requests until SIGTERM or SIGINT; a second one stops at once')
    .action(async () => {
      exitCode = await serve(line, configured(true));
    });
  program
    .command('chat')
    .description('publish a request, print the answer as it streams, then what it cost')
    .argument('<text>', 'what to say')
    .option('-m, --model <model>', 'model to ask (default: the service’s)')
    .option('-s, --system <text>', 'system message')
    .option('-c, --conversation <id>', 'conversation that the request belongs to')
    .option('-t, --timeout <seconds>', 'how long to wait for the answer', readSeconds, 120)
    .action(async (text: string, options: Parameters<typeof chat>[2]) => {
      exitCode = await chat(tool(), text, options);
    });

  const topics = program.command('topics').description('the service’s topics');
  topics
    .command('create')
    .description('create the topics that are missing')
    .action(() => createTopicsCommand(tool()));

  const models = program.command('models').description('the catalog of models');
  models
    .command('import')
    .description('import models from a file (default: those that ship with the service)')
    .argument('[file]')
    .action((file?: string) => importModelFile(tool(), file));
  models
    .command('list')
    .description('list the models')
    .action(() => listModels(tool()));

  const prices = program.command('prices').description('versioned prices');
  prices
    .command('import')
    .description('import prices from a file (default: those that ship with the service)')
    .argument('[file]')
    .option('--dry-run', 'only say what would change')
    .action((file: string | undefined, options: { dryRun?: boolean }) =>
      importPriceFile(tool(), file, options.dryRun ?? false),
    );
  prices
    .command('list')
    .description('list the versions of all prices, or of one model')
    .argument('[model]')
    .action((model?: string) => listPrices(tool(), model));
  const end = (code: number) => {
    exitCode = code;
  };
  addSpendCommands(program, tool, end);
  addBudgetCommands(program, tool);

  try {
    await program.parseAsync([...line.args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    line.stderr.write(`${describeFailure(error)}\n`);
    return error instanceof ConfigurationError ? 2 : 1;
  }
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= LONGEST_WAIT_SECONDS) return seconds;
  throw new InvalidArgumentError(`It is a number of seconds up to ${LONGEST_WAIT_SECONDS}.`);
}
