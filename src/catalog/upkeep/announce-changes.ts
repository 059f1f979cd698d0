import type { RecordCodec } from '../../contract/codec.ts';
import { eventHeaders } from '../../contract/event-headers.ts';
import type { ModelChanged } from '../../contract/record-types.ts';
import type { LaneTransport, OutboundRecord } from '../../ports/kafka.ts';
import type { ChangeOutbox } from '../stores.ts';

/** Publishes stored changes that are not announced yet. */
export interface AnnounceChanges {
  isNeeded(): Promise<boolean>;
  all(signal: AbortSignal): Promise<void>;
}

export interface Announcement {
  readonly outbox: ChangeOutbox;
  /** Under the catalog's own group. */
  readonly transport: LaneTransport;
  readonly codec: RecordCodec;
  /** The topic of model changes; it has one partition. */
  readonly topic: string;
  /** Consumer group of the workers: names the service in events. */
  readonly groupId: string;
  /** Called with the published changes. */
  readonly onAnnounced: (changes: readonly ModelChanged[]) => void;
}

/** Changes per transaction: far below any topic's `max.message.bytes`. */
const BATCH = 500;
const MAX_FAILURES = 3;

/**
 * Publishes every stored change exactly once and in order, even if several processes try at the same time and some of them die.
 *
 * The changes are numbered. A transaction publishes some of them and commits the last one's number as the position of the catalog's
 * group. So records and position become visible together or not at all. The fence before it ends any other publisher, and
 * completes its open transaction.
 *
 * ```
 *  stored ──1 fence, 2 position──► above the position ──3 one transaction──► published ──4──► forgotten
 *                                  up to it: published by a process that died ───────────────►┘
 * ```
 */
export function createAnnouncer(announcement: Announcement): AnnounceChanges {
  const { outbox, transport, codec, topic, groupId, onAnnounced } = announcement;
  const lane = { topic, partition: 0 };
  const recordOf = (change: ModelChanged): OutboundRecord => ({
    ...lane,
    key: `${change.provider}/${change.model}`,
    value: codec.encode('ModelChanged', change),
    headers: eventHeaders(groupId, { name: 'ModelChanged', eventId: change.eventId, at: change.occurredAt }),
  });

  async function publish({ outboxId, changes }: Awaited<ReturnType<ChangeOutbox['pending']>>, last: number) {
    // 1 Fence any other publisher.
    const producer = await transport.fence(lane);
    try {
      // 2 Read what this outbox has published so far.
      const { offset, metadata, topicId } = await transport.committedPosition(lane);
      const published = metadata === outboxId ? (offset ?? 0) : 0;
      // 3 Publish the rest together with the new position.
      const rest = changes.filter(({ number }) => number > published).map(({ change }) => change);
      if (rest.length === 0) return;
      await producer.settle({ offset: last, metadata: outboxId, topicId, records: rest.map(recordOf) });
      onAnnounced(rest);
    } finally {
      await producer.close();
    }
  }

  return {
    isNeeded: async () => (await outbox.pending(1)).changes.length > 0,

    async all(signal) {
      for (let failures = 0; ; ) {
        signal.throwIfAborted();
        const pending = await outbox.pending(BATCH);
        const last = pending.changes.at(-1);
        if (last === undefined) return;
        try {
          await publish(pending, last.number);
        } catch (error) {
          // Usually another publisher fenced this one. Then nothing is left on the next attempt.
          failures += 1;
          if (failures === MAX_FAILURES) throw error;
          continue;
        }
        // 4 Forget them. If this process dies first, the next one finds them published.
        await outbox.forget(last.number);
      }
    },
  };
}
