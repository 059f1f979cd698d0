import { randomUUID } from 'node:crypto';
import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { KafkaRequestSource } from '../../adapters/kafka/consumer/request-source.ts';
import { readTopicRanges } from '../../adapters/kafka/consumer/topic-ranges.ts';
import { readToEnd } from '../../adapters/kafka/consumer/topic-reader.ts';
import { createSpendReader } from '../../adapters/mongo/spend/spend-reader.ts';
import { createSpendRebuild } from '../../adapters/mongo/spend/spend-rebuild.ts';
import { createOpenAiBilling } from '../../adapters/openai/billing/openai-billing.ts';
import { topicNames } from '../../contract/topics.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { rebuildSpend } from '../../spend/rebuild-spend.ts';
import { EventSpend } from '../../spend/report/event-spend.ts';
import { formatReconciliation, reconciliationNote } from '../../spend/report/format-reconciliation.ts';
import { type Format, formatReport, reportNotes } from '../../spend/report/format-report.ts';
import { reconcileSpend } from '../../spend/report/reconcile-spend.ts';
import { needsEvents, type ReportQuery, reportSpend } from '../../spend/report/spend-report.ts';
import { reservationTtlMs } from '../../spend/reservation-ttl.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { requireKafka } from '../options/with-kafka.ts';

/** `costs report` */
export async function reportCosts(tool: Tool, query: ReportQuery, format: Format): Promise<void> {
  const report = needsEvents(query)
    ? await reportSpend(await readEvents(tool, query), query)
    : await withDatabase(tool, (db) => reportSpend(createSpendReader(db), query));
  tool.print(formatReport(report, format));
  for (const note of reportNotes(report)) tool.printError(`${note}\n`);
}

/** Counts all events of the cost topic, because the database keeps no labels. */
async function readEvents(tool: Tool, query: ReportQuery): Promise<EventSpend> {
  await requireKafka(tool);
  const { config, logger } = tool;
  const codec = createSingleObjectCodec(config.limits.recordMaxBytes);
  const spend = new EventSpend(query);
  await readToEnd(config.kafka, logger, topicNames(config.topics.prefix).costs, ({ value, headers }) => {
    try {
      spend.add(codec.decode('CostCalculated', value, headers).record);
    } catch (error) {
      if (!(error instanceof UndecodableRecord)) throw error;
      spend.miss();
    }
  });
  return spend;
}

/**
 * `costs reconcile`
 *
 * @returns whether there were no differences
 */
export async function reconcileCosts(
  tool: Tool,
  query: { readonly from: string; readonly to: string; readonly tolerance: string },
  format: Format,
): Promise<boolean> {
  const { adminKey, organization, project, baseUrl } = tool.config.openai;
  if (adminKey === null)
    throw new Error(
      'costs reconcile needs an admin key of the organization in AI_OPENAI_ADMIN_KEY (or AI_OPENAI_ADMIN_KEY_FILE)',
    );
  let differences = 0;
  await withDatabase(tool, async (db) => {
    const found = await reconcileSpend(
      createSpendReader(db),
      createOpenAiBilling({ adminKey, organization, baseUrl }),
      { ...query, provider: 'openai', projectId: project },
    );
    differences = found.differences.length;
    tool.print(formatReconciliation(found, format));
    tool.printError(`${reconciliationNote(found)}\n`);
  });
  return differences === 0;
}

/** `costs rebuild` */
export async function rebuildCosts(tool: Tool): Promise<void> {
  await requireKafka(tool);
  const { config, logger, print } = tool;
  const topic = topicNames(config.topics.prefix).costs;
  const { signal } = new AbortController();
  await withDatabase(tool, async (db) => {
    const { events, unreadable } = await rebuildSpend(
      {
        rebuild: createSpendRebuild(db, { signal, onRetry: () => undefined }),
        reservationTtlMs: reservationTtlMs(config.limits.requestTimeoutMs),
        // A group of its own without any committed offset, so that it leaves nothing behind.
        source: new KafkaRequestSource(
          { ...config.kafka, groupId: `${config.spend.groupId}-rebuild-${randomUUID()}` },
          [topic],
          logger,
        ),
        commit: null,
        topic,
        readRanges: () => readTopicRanges(config.kafka, logger, topic),
        codec: createSingleObjectCodec(config.limits.recordMaxBytes),
        chargeIdTtlMs: config.ledger.ttlMs,
        clock: systemClock,
        logger,
      },
      signal,
    );
    const note = unreadable === 0 ? '' : `, ${unreadable} records that could not be read`;
    print(`spend is rebuilt: ${events} events${note}\n`);
  });
}
