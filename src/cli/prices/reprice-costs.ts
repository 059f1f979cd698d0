import { ROOT_CONTEXT } from '@opentelemetry/api';
import { Big } from 'big.js';
import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { readToEnd } from '../../adapters/kafka/consumer/topic-reader.ts';
import { ExclusivePublisher } from '../../adapters/kafka/transactions/exclusive-publisher.ts';
import { createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { findPrice, priceTimelines } from '../../catalog/prices/versions/find-price.ts';
import type { RecordCodec } from '../../contract/codec.ts';
import type { CostCalculated } from '../../contract/record-types.ts';
import { topicNames } from '../../contract/topics.ts';
import { visibleName } from '../../domain/text/visible-text.ts';
import { OutputRecords } from '../../pipeline/outcome/output-records.ts';
import type { InboundRecord } from '../../ports/kafka.ts';
import { type BillFilter, BillLog, type DueAdjustment } from '../../spend/bill-log.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { requireKafka } from '../options/with-kafka.ts';

export interface RepriceOptions extends BillFilter {
  readonly dryRun: boolean;
  /** Whether to name each adjustment. */
  readonly verbose: boolean;
  /** Epoch ms: event time of the adjustments. */
  readonly now: number;
}

/**
 * `costs reprice`: publishes an adjustment with signed lines for every charge whose price came late or was corrected. Nothing is
 * edited, and a second run finds nothing to do.
 */
export async function repriceCosts(tool: Tool, options: RepriceOptions): Promise<void> {
  await requireKafka(tool);
  const { config, logger } = tool;
  const codec = createSingleObjectCodec(config.limits.recordMaxBytes);
  const { costs } = topicNames(config.topics.prefix);
  // 1. Fence other runs: from here on they publish nothing, so the events read below are complete.
  const publisher = options.dryRun
    ? null
    : await ExclusivePublisher.connect(config.kafka, logger, 'costs-reprice', costs);
  try {
    // 2. Read the known prices.
    const timelines = await withDatabase(tool, async (db) =>
      priceTimelines(await createPriceStore(db).list()),
    );
    const bills = new BillLog(options, {
      price: (provider, model, at) => findPrice(timelines, provider, model, at),
    });
    // 3. Read all cost events from the first one.
    const count = await readCosts(tool, codec, (event, record) => bills.add(event, record));
    // 4. Publish what is missing, in the charges' partitions and under their keys.
    const due = bills.due(options.now);
    await publisher?.publish(due.map((adjustment) => recordOf(adjustment, codec, tool)));
    if (options.verbose) for (const { event } of due) tool.print(describeAdjustment(event));
    tool.print(describeRun(count, due, options.dryRun));
  } finally {
    await publisher?.close();
  }
}

/** @returns the number of events */
async function readCosts(
  { config, logger }: Tool,
  codec: RecordCodec,
  onEvent: (event: CostCalculated, record: InboundRecord) => void,
): Promise<number> {
  let count = 0;
  await readToEnd(config.kafka, logger, topicNames(config.topics.prefix).costs, (record) => {
    onEvent(decodeEvent(codec, record), record);
    count += 1;
  });
  return count;
}

function decodeEvent(codec: RecordCodec, { topic, partition, offset, value, headers }: InboundRecord) {
  try {
    return codec.decode('CostCalculated', value, headers).record;
  } catch (cause) {
    const place = `${topic}, partition ${partition}, offset ${offset}`;
    throw new Error(`${place} is not a cost event: ${(cause as Error).message}`, { cause });
  }
}

function recordOf({ event, source }: DueAdjustment, codec: RecordCodec, { config }: Tool) {
  const outputs = new OutputRecords(topicNames(config.topics.prefix), config.kafka.groupId);
  const value = codec.encode('CostCalculated', event);
  return outputs.settled(
    { name: 'CostCalculated', eventId: event.eventId, at: event.occurredAt, value },
    { record: source, orderKey: '', trace: ROOT_CONTEXT },
  );
}

function describeAdjustment({
  tenantId,
  requestId,
  reason,
  totalCost,
  currency,
  calls,
}: CostCalculated): string {
  const prices = new Set(calls.map(({ priceId }) => priceId));
  const line = `${tenantId}/${requestId}  ${reason}  ${totalCost} ${currency}  ${[...prices].join(', ')}`;
  return `${visibleName(line)}\n`;
}

function describeRun(count: number, due: readonly DueAdjustment[], dryRun: boolean): string {
  const sums = [...Map.groupBy(due, ({ event }) => event.currency)].map(([currency, ofCurrency]) => {
    const sum = ofCurrency.reduce((total, { event }) => total.plus(event.totalCost ?? 0), new Big(0));
    return `, ${sum.toFixed()} ${currency}`;
  });
  const done = dryRun ? 'would be published' : 'published';
  return `${count} events read, ${due.length} adjustments ${done}${sums.join('')}\n`;
}
