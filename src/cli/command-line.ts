import { once } from 'node:events';
import { Command, CommanderError } from 'commander';
import { ConfigurationError, loadConfig } from '../config/load-config.ts';
import { createLogger } from '../runtime/logger.ts';
import { type ChatOptions, chat } from './chat/chat.ts';
import { type EstimateOptions, estimate } from './chat/estimate.ts';
import { addDeadCommands } from './dead-letters/dead-commands.ts';
import { addModelCommands } from './models/model-commands.ts';
import { namedFiles } from './named-files.ts';
import { readCount, readNumber, readSeconds } from './options/option-values.ts';
import type { CommandLine, Tool } from './options/tool.ts';
import { ineffectiveVariables } from './options/unknown-variables.ts';
import { addOutcomeCommands } from './outcomes/outcomes.ts';
import { describeFailure } from './output/describe-failure.ts';
import { addCostCommands, addPriceCommands } from './prices/price-commands.ts';
import { serve } from './serve/serve.ts';
import { addBudgetCommands } from './spend/budgets.ts';
import { addTopicCommands } from './topics/topics.ts';

/**
 * Runs one command.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration
 */
export async function runCommandLine(line: CommandLine): Promise<number> {
  let exitCode = 0;
  const warn = () => {
    for (const { message } of ineffectiveVariables(line.env)) line.stderr.write(`warning: ${message}\n`);
  };
  /** A command other than the service. Its output is for users, so it logs only problems. */
  const tool = (): Tool => {
    warn();
    return {
      config: loadConfig(line.env, { readFile: line.readFile }),
      logger: createLogger({ level: 'error' }),
      print: (text: string) => void line.stdout.write(text),
      printPage: async (text: string) => {
        if (!line.stdout.write(text)) await once(line.stdout, 'drain');
      },
      printError: (text: string) => void line.stderr.write(text),
      ...namedFiles(line),
    };
  };

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
      try {
        exitCode = await serve(line);
      } catch (error) {
        // A service that starts has the warnings in its log.
        if (error instanceof ConfigurationError) warn();
        throw error;
      }
    });
  program
    .command('chat')
    .description('publish a request, print the answer as it streams, then what it cost')
    .argument('[text]', 'what to say; "-" reads standard input, and so does a pipe without a text')
    .option('-f, --file <request>', 'a Chat Completions body in JSON; a text is then its last message')
    .option('-m, --model <model>', 'model to ask (default: the service’s)')
    .option('-s, --system <text>', 'system message')
    .option('-c, --conversation <id>', 'conversation that the request belongs to')
    .option('--tenant <id>', 'tenant that asks')
    .option('--temperature <number>', 'sampling temperature', readNumber)
    .option('--max-tokens <count>', 'how long the answer may be', readCount)
    .option('-t, --timeout <seconds>', 'how long to wait for the answer', readSeconds, 120)
    .option('--json', 'print one JSON object with the response and its cost, and nothing while it streams')
    .action(async (text: string | undefined, options: ChatOptions, command: Command) => {
      const isPiped = line.isTerminal === false && options.file === undefined;
      if (text === undefined && options.file === undefined && !isPiped)
        command.error("error: missing required argument 'text' (or --file, or standard input)");
      exitCode = await chat(tool(), text ?? (isPiped ? '-' : undefined), options);
    });

  program
    .command('estimate')
    .description('count the tokens of a request and say what it would cost; nothing is sent')
    .argument('[text]', 'what would be said')
    .option('-m, --model <model>', 'model (default: the file’s, else the service’s)')
    .option('-f, --file <request>', 'a Chat Completions body in JSON instead of a text')
    .option('--max-output-tokens <count>', 'how long the answer may be', readCount)
    .option('--prices <file>', 'prices from a file, or "shipped": needs no database')
    .option('--json', 'print one JSON document')
    .action((text: string | undefined, options: EstimateOptions) =>
      estimate(tool(), text, options, Date.now()),
    );

  addTopicCommands(program, tool);

  const end = (code: number) => {
    exitCode = code;
  };
  addModelCommands(program, tool, end);
  addPriceCommands(program, tool, end);
  addCostCommands(program, tool, end);
  addBudgetCommands(program, tool);
  addDeadCommands(program, tool, end);
  addOutcomeCommands(program, tool);

  try {
    await program.parseAsync([...line.args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    line.stderr.write(`${describeFailure(error)}\n`);
    return error instanceof ConfigurationError ? 2 : 1;
  }
}
