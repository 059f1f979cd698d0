import { type Command, InvalidArgumentError, Option } from 'commander';
import { lifecycles, type ModelCriteria, sortOrders } from '../../catalog/models/select-models.ts';
import { capabilities } from '../../catalog/stores.ts';
import type { Tool } from '../options/tool.ts';
import { type OutputFlags, outputOf, withOutput } from '../output/listing.ts';
import { importModelFile } from './catalog.ts';
import { listModels, showModel, syncModelsNow } from './models.ts';

type ListFlags = Omit<ModelCriteria, 'name'> & OutputFlags;

/**
 * Adds the commands that begin with `models`.
 *
 * @param end sets the exit code of a command that ended well and has to say more than that
 */
export function addModelCommands(program: Command, tool: () => Tool, end: (code: number) => void): void {
  const models = program.command('models').description('the catalog of models');
  models
    .command('import')
    .description('import models from a file (default: those that ship with the service)')
    .argument('[file]')
    .option('--verbose', 'name each entry')
    .action(async (file: string | undefined, { verbose = false }: { verbose?: boolean }) =>
      end(await importModelFile(tool(), file, verbose)),
    );
  models
    .command('sync')
    .description('bring the catalog up to the provider’s list now')
    .option('--accept-short', 'take the list even if it is missing more than half of the models')
    .action((flags: { acceptShort?: boolean }) => syncModelsNow(tool(), flags.acceptShort ?? false));
  withOutput(
    models.command('list').description('list the models that work, or those that fit'),
    'one object a line',
  )
    .argument('[name]', 'a part of the id or an alias')
    .option('--can <capabilities>', `all of these: ${capabilities.join(',')}`, someOf(capabilities))
    .option('--provider <name>', 'whose models')
    .option('--min-context <tokens>', 'size of the context window', readCount)
    .option('--min-output <tokens>', 'largest answer', readCount)
    .option('--max-input-price <amount>', 'per million tokens, now', readAmount)
    .option('--max-output-price <amount>', 'per million tokens, now', readAmount)
    .option(
      '--lifecycle <states>',
      `some of ${lifecycles.join(',')} (default: active,deprecated)`,
      someOf(lifecycles),
    )
    .addOption(
      new Option('--sort <order>', 'what comes first: the cheapest, the largest').choices(sortOrders),
    )
    .action((name: string | undefined, { output, json = false, ...criteria }: ListFlags) =>
      listModels(tool(), { ...criteria, ...(name !== undefined && { name }) }, outputOf({ output, json })),
    );
  models
    .command('show')
    .description('everything that is known of a model, with all versions of its price, as JSON')
    .argument('<name>', 'its id, with or without the provider, or an alias')
    .action((name: string) => showModel(tool(), name));
}

function someOf<Value extends string>(known: readonly Value[]) {
  return (text: string): Value[] => {
    const given = text.split(',').map((value) => value.trim());
    const unknown = given.filter((value) => !known.some((one) => one === value));
    if (unknown.length === 0) return given as Value[];
    throw new InvalidArgumentError(`${unknown.join(', ')} is not one of ${known.join(', ')}.`);
  };
}

function readCount(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of tokens.');
}

function readAmount(text: string): string {
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a decimal number, such as 2.5.');
}
