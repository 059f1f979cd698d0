import { ROOT_CONTEXT } from '@opentelemetry/api';
import type { Command } from 'commander';
import type { Db } from 'mongodb';
import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { readToEnd } from '../../adapters/kafka/consumer/topic-reader.ts';
import { ExclusivePublisher } from '../../adapters/kafka/transactions/exclusive-publisher.ts';
import {
  markPublished,
  type UnpublishedOutcome,
  unpublishedOutcomes,
} from '../../adapters/mongo/ledger/unpublished-outcomes.ts';
import type { RecordCodec } from '../../contract/codec.ts';
import { settledTopics, topicNames } from '../../contract/topics.ts';
import { visibleName } from '../../domain/text/visible-text.ts';
import { decodeOutcome, outcomeEvents } from '../../pipeline/outcome/encode-outcome.ts';
import { OutputRecords } from '../../pipeline/outcome/output-records.ts';
import type { OutboundRecord } from '../../ports/kafka.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { requireKafka } from '../options/with-kafka.ts';
import { type Column, Listing, type OutputFlags, outputOf, withOutput } from '../output/listing.ts';

/** Adds the commands of outcomes to a program. */
export function addOutcomeCommands(program: Command, tool: () => Tool): void {
  const outcomes = program
    .command('outcomes')
    .description('answers and bills that the brokers refused in every form');
  withOutput(
    outcomes.command('list').description('list requests whose outcome is not published'),
    'one object a line',
  ).action((flags: OutputFlags) => listOutcomes(tool(), flags));
  outcomes
    .command('publish')
    .description(
      'publish what is missing of these outcomes, each event once; exit code 1 when a broker refuses one',
    )
    .action(() => publishOutcomes(tool()));
}

/** `outcomes list` */
async function listOutcomes(tool: Tool, flags: OutputFlags): Promise<void> {
  const all = await withDatabase(tool, readAll);
  const listing = new Listing(tool, outputOf(flags), COLUMNS, (row) => row);
  for (const { id, partition } of all) await listing.add({ request: nameOf(id), partition });
  await listing.end('all outcomes are published');
}

interface OutcomeRow {
  readonly request: string;
  readonly partition: number;
}

const COLUMNS: readonly Column<OutcomeRow>[] = [
  { name: 'request', cell: ({ request }) => request },
  { name: 'partition', kind: 'number', cell: ({ partition }) => partition },
];

/** `outcomes publish`: it reads only after connecting, when everything that other runs committed is visible. So no event is published twice. */
async function publishOutcomes(tool: Tool): Promise<void> {
  await requireKafka(tool);
  const { config, logger } = tool;
  const topics = settledTopics(config.topics.prefix);
  const codec = createSingleObjectCodec(config.limits.recordMaxBytes);
  const outputs = new OutputRecords(topicNames(config.topics.prefix), config.kafka.groupId);
  const publisher = await ExclusivePublisher.connect(config.kafka, logger, 'outcomes-publish', ...topics);
  try {
    await withDatabase(tool, async (db) => {
      const waiting = (await readAll(db)).map((one) => ({ ...one, records: recordsOf(one, outputs, codec) }));
      if (waiting.length > 0) {
        const visible = await visibleEvents(
          tool,
          new Set(waiting.flatMap(({ records }) => records.map(placeOf))),
        );
        for (const { id, records } of waiting) {
          const missing = records.filter((record) => !visible.has(placeOf(record)));
          await publisher.publish(missing);
          await markPublished(db, id);
          await tool.printPage(`${visibleName(nameOf(id))}  ${missing.length} events published\n`);
        }
      }
      tool.printError(`${waiting.length} outcomes published\n`);
    });
  } finally {
    await publisher.close();
  }
}

async function readAll(db: Db): Promise<UnpublishedOutcome[]> {
  const all: UnpublishedOutcome[] = [];
  for await (const one of unpublishedOutcomes(db)) all.push(one);
  return all;
}

/** The same records, with the same event ids, as the worker would have published. */
function recordsOf(
  { outcome: stored, partition }: UnpublishedOutcome,
  outputs: OutputRecords,
  codec: RecordCodec,
): OutboundRecord[] {
  const outcome = decodeOutcome(stored, codec);
  const { conversationId, requestId } = outcome.response;
  const orderKey = conversationId ?? requestId;
  const record = { topic: '', partition, offset: 0, timestamp: 0, key: null, value: null, headers: {} };
  return outcomeEvents(outcome, stored).map((event) =>
    outputs.settled(event, { record, orderKey, trace: ROOT_CONTEXT }),
  );
}

/** The ids of the wanted events that are in their topics. */
async function visibleEvents({ config, logger }: Tool, wanted: ReadonlySet<string>): Promise<Set<string>> {
  const visible = new Set<string>();
  const { responses, responseGenerated, costs } = topicNames(config.topics.prefix);
  for (const topic of [responses, responseGenerated, costs])
    await readToEnd(config.kafka, logger, topic, ({ headers }) => {
      const place = `${topic} ${String(headers['ce_id'])}`;
      if (wanted.has(place)) visible.add(place);
    });
  return visible;
}

function placeOf({ topic, headers }: OutboundRecord): string {
  return `${topic} ${String(headers['ce_id'])}`;
}

/** Tenant and request, as other commands print them. */
function nameOf(id: string): string {
  return id.replace(' ', '/');
}
