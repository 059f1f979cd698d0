import type { Command } from 'commander';
import { type GrownTopic, growTopics, repairPartitions } from '../../adapters/kafka/topics/grow-topics.ts';
import { allTopics, checkTopics, createTopics, partitionCounts } from '../../adapters/kafka/topics/topics.ts';
import { readCount } from '../options/option-values.ts';
import type { Tool } from '../options/tool.ts';
import { withKafka } from '../options/with-kafka.ts';
import { type Column, Listing, type OutputFlags, outputOf, withOutput } from '../output/listing.ts';

/** Adds the commands of topics to a program. */
export function addTopicCommands(program: Command, tool: () => Tool): void {
  const topics = program.command('topics').description('the service’s topics');
  topics
    .command('create')
    .description(
      'create the topics that are missing, and add partitions to outputs that have fewer than the request topics',
    )
    .action(() => createTopicsCommand(tool()));
  withOutput(
    topics
      .command('check')
      .description('check that the service can run with the topics as they are; exit code 1 when it cannot'),
    'one object a line',
  ).action((flags: OutputFlags) => checkTopicsCommand(tool(), flags));
  topics
    .command('grow')
    .description(
      'give the request topics more partitions, and before that the outputs that must have as many. ' +
        'Keys may then move to other partitions: a key’s next request may be handled before earlier ones are answered',
    )
    .argument('<partitions>', 'how many each is to have', readCount)
    .action((count: number) => growTopicsCommand(tool(), count));
}

/** `topics create` */
async function createTopicsCommand({ print, printError, ...tool }: Tool): Promise<void> {
  await withKafka(tool, async (admin) => {
    const created = await createTopics(admin, tool.config.topics);
    const grown = await repairPartitions(admin, tool.config.topics);
    if (created.length > 0) print(`created ${created.join(', ')}\n`);
    printGrown(grown, print);
    if (created.length + grown.length === 0) printError('all topics exist\n');
  });
}

/** `topics check` */
interface TopicRow {
  readonly topic: string;
  readonly partitions: number;
}

const COLUMNS: readonly Column<TopicRow>[] = [
  { name: 'topic', cell: ({ topic }) => topic },
  { name: 'partitions', kind: 'number', cell: ({ partitions }) => partitions },
];

async function checkTopicsCommand(tool: Tool, flags: OutputFlags): Promise<void> {
  const { topics, ledger, limits } = tool.config;
  await withKafka(tool, async (admin) => {
    await checkTopics(admin, topics, { ledgerTtlMs: ledger.ttlMs, recordMaxBytes: limits.recordMaxBytes });
    const listing = new Listing(tool, outputOf(flags), COLUMNS, (row) => row);
    for (const [topic, partitions] of await partitionCounts(admin, allTopics(topics)))
      await listing.add({ topic, partitions });
    await listing.end('there are no topics');
    tool.printError('all topics are as they must be\n');
  });
}

/** `topics grow` */
async function growTopicsCommand({ print, printError, ...tool }: Tool, count: number): Promise<void> {
  await withKafka(tool, async (admin) => {
    const grown = await growTopics(admin, tool.config.topics, count);
    printGrown(grown, print);
    if (grown.length === 0) printError(`all of them have ${count} partitions\n`);
  });
}

function printGrown(grown: readonly GrownTopic[], print: Tool['print']): void {
  for (const { topic, from, to } of grown) print(`${topic}: from ${from} to ${to} partitions\n`);
}
