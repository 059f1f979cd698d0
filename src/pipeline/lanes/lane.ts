import {
  deltaCapacity,
  encodeOffsetMap,
  type OffsetSnapshot,
  UnreadableOffsetMap,
} from '../../domain/offsets/offset-map.ts';
import { OffsetTracker } from '../../domain/offsets/offset-tracker.ts';
import { Deque } from '../../domain/queues/deque.ts';
import {
  type FetchedRecords,
  type InboundRecord,
  type LaneProducer,
  ProducerDisconnected,
  RecordRefused,
  type TopicPartition,
} from '../../ports/kafka.ts';
import { backoff } from '../../runtime/backoff.ts';
import type { FinishedRequest } from './lane-listener.ts';
import type { LaneOptions } from './lane-options.ts';
import { LanePauses, type PauseReason } from './lane-pauses.ts';
import { PositionAtRest } from './position-at-rest.ts';
import { takeBatch } from './settle-batch.ts';
import { SettlePace } from './settle-pace.ts';
import { isOther, logWasCut, startingSnapshot } from './starting-snapshot.ts';

/*
 * A lane settles the outcomes of one assigned input partition (docs/architecture.md).
 *
 *            assigned                 position read
 *   (new) ─────────────► opening ───────────────────► open ──┐ settle, settle, …
 *                         │  ▲ ▲ coordinator away       │ ◄───┘
 *                         │  └─┘ try again              │
 *            not ours any │                             │ any error after begin: doubt
 *            more         │  ◄──────────────────────────┘
 *                         ▼
 *                       closed ◄── close() from any state
 *
 *   halted: the log was cut below what is settled, or the map cannot be read. Needs an operator.
 *   A topic that was deleted and created again is read from its start.
 */
export type LaneState = 'opening' | 'open' | 'closed' | 'halted';

export class Lane {
  readonly partition: TopicPartition;
  private readonly options: LaneOptions;
  private readonly pauses: LanePauses;
  private readonly queue = new Deque<FinishedRequest>();
  private readonly stopping = new AbortController();
  private pace: SettlePace;
  private laneState: LaneState = 'opening';
  private tracker: OffsetTracker | null = null;
  private producer: LaneProducer | null = null;
  private memberId: string;
  /** Counts assignments: what the coordinator said before the last one is ignored. */
  private assignment = 0;
  /** Counts openings: work started before a doubt or a close has no effect after it. */
  private epoch = 0;
  private gathering = false;
  /** Offsets in transactions that have not ended. */
  private inFlight = new Set<number>();
  /** Failed transactions in a row: only the first is repeated at once. */
  private doubts = 0;
  /** The position moved without an outcome (a gap), which is worth a commit of its own. */
  private moved = false;
  private committed = 0;
  private readonly atRest = new PositionAtRest(
    () => this.tracker?.openCount === 0 && this.tracker.watermark > this.committed,
    () => {
      this.moved = true;
      this.settleSoon();
    },
  );
  private batchMaxRequests = Number.POSITIVE_INFINITY;
  private soughtBackTo = -1;
  /** The id of the topic whose log this is. */
  private topicId: string | null = null;
  /** The offset after the last accepted one, including those before a doubt. */
  private reached = 0;
  /** While draining: offsets at or above this one are left to other workers. */
  private acceptBelow = Number.POSITIVE_INFINITY;

  constructor(options: LaneOptions, memberId: string) {
    this.options = options;
    this.partition = options.partition;
    this.memberId = memberId;
    this.pace = new SettlePace(options.settleSpacingMs);
    this.pauses = new LanePauses(options.source, options.partition);
  }

  get state(): LaneState {
    return this.laneState;
  }

  get isPaused(): boolean {
    return this.pauses.isPaused;
  }

  /** How many accepted requests are not settled. */
  get unsettledCount(): number {
    return this.tracker?.openCount ?? 0;
  }

  /** The lowest offset that is not settled; null while it is unknown. */
  get settledBelow(): number | null {
    return this.tracker?.watermark ?? null;
  }

  /** Starts to open: pauses the partition at once, the rest follows. */
  start(): void {
    this.pauses.pause('opening');
    void this.open();
  }

  /** The worker rejoined the group and still owns the partition. */
  reassigned(memberId: string): void {
    this.memberId = memberId;
    this.assignment += 1;
    this.pauses.repeat();
    if (this.laneState === 'open' && this.tracker !== null)
      this.options.source.seek(this.partition, this.tracker.next);
  }

  /** Settles nothing more. Queued outcomes stay in the ledger for the next owner of the partition. */
  close(): void {
    if (this.laneState === 'closed') return;
    this.laneState = 'closed';
    this.stopping.abort();
    this.leaveEpoch();
  }

  /** Accepts nothing new. Accepted requests are still settled, even after a doubt. */
  drain(): void {
    const next = this.tracker?.next ?? 0;
    this.acceptBelow = Math.max(this.reached, next);
    // After a doubt, requests accepted before are redelivered. Then the pause waits until they have arrived.
    if (next === this.acceptBelow || this.tracker === null) this.pauses.pause('draining');
  }

  /** Restarts from the committed position, as after a doubt. */
  reopen(): void {
    if (this.laneState !== 'open') return;
    this.laneState = 'opening';
    this.leaveEpoch();
    this.start();
  }

  /** The current id of the topic. Without fetches and commits the lane would not notice a recreated topic. */
  topicIs(topicId: string | null): void {
    if (this.laneState === 'open' && isOther(this.topicId, topicId))
      this.suspect(`${this.partition.topic} was deleted and created again`);
  }

  /** Whether it was paused because there was no room for its next record. */
  get isSaturated(): boolean {
    return this.pauses.has('saturated');
  }

  /** There is room again. */
  resumeIntake(): void {
    this.pauses.resume('saturated');
  }

  /** Takes fetched records, in log order. @returns whether the position may move past them */
  accept(batch: FetchedRecords): boolean {
    const tracker = this.tracker;
    if (this.laneState !== 'open' || tracker === null) return false;
    if (batch.highWatermark < tracker.watermark) {
      this.suspect(logWasCut(batch.highWatermark, tracker.watermark));
      return false;
    }
    for (const record of batch.records) {
      if (record.offset < tracker.next) continue;
      if (record.offset > tracker.next && !this.acceptGap(tracker, batch, record.offset)) return true;
      if (tracker.wasSettledBefore(record.offset)) {
        tracker.skipTo(record.offset + 1);
        this.moved = true;
        continue;
      }
      const obstacle = this.obstacleTo(record, tracker);
      if (obstacle !== null) {
        this.pauses.pause(obstacle);
        this.options.source.seek(this.partition, tracker.next);
        this.settleSoon();
        return true;
      }
      tracker.accept(record.offset);
      this.options.listener.accepted(record);
    }
    this.passMarkers(tracker, batch);
    this.settleSoon();
    return true;
  }

  /** After the last record come transaction markers and aborted records. The next outcome commits past them. */
  private passMarkers(tracker: OffsetTracker, batch: FetchedRecords): void {
    const { moved } = this;
    if (batch.nextOffset > tracker.next) this.acceptGap(tracker, batch, batch.nextOffset);
    this.moved = moved;
    this.atRest.look();
  }

  private obstacleTo(record: InboundRecord, tracker: OffsetTracker): PauseReason | null {
    if (record.offset >= this.acceptBelow) return 'draining';
    if (!tracker.hasRoomFor(record.offset)) return 'map full';
    return this.options.listener.mayAccept(record) ? null : 'saturated';
  }

  /** Queues an outcome. Ignored if the lane does not wait for it: lost meanwhile, or settled before a doubt. */
  finish(request: FinishedRequest): void {
    if (this.laneState !== 'open' || !this.tracker?.isOpen(request.offset)) return;
    this.queue.push(request);
    this.settleSoon();
  }

  /** Step 2 of the protocol: repeated until it succeeds or the partition is reassigned. */
  private async open(): Promise<void> {
    this.epoch += 1;
    const epoch = this.epoch;
    const { transport, listener } = this.options;
    if (this.doubts > 1) await backoff(this.doubts - 2, this.stopping.signal);
    for (let tries = 0; epoch === this.epoch; tries += 1) {
      let producer: LaneProducer | null = null;
      try {
        const { assignment } = this;
        const held = await transport.holds(this.memberId, this.partition);
        // Fencing after the partition was lost would disturb its new owner.
        if (epoch !== this.epoch) return;
        if (assignment !== this.assignment) continue;
        if (!held) {
          this.close();
          return;
        }
        producer = await transport.fence(this.partition, this.memberId);
        const position = await transport.committedPosition(this.partition);
        const start = startingSnapshot(position, transport.clusterId);
        if (epoch !== this.epoch) break;
        this.begin(start, position.topicId, producer);
        producer = null;
        this.options.source.seek(this.partition, Math.max(start.watermark, position.logStart));
        this.pauses.resume('opening');
        return;
      } catch (error) {
        if (error instanceof UnreadableOffsetMap) {
          if (epoch === this.epoch) this.halt(error.message);
          return;
        }
        if (epoch === this.epoch) listener.inDoubt(this.partition, error);
      } finally {
        // A producer that was fenced and not used must not keep its connection.
        await producer?.close();
      }
      await backoff(tries, this.stopping.signal);
    }
  }

  private get isDraining(): boolean {
    return this.acceptBelow !== Number.POSITIVE_INFINITY;
  }

  private begin(start: OffsetSnapshot, topicId: string | null, producer: LaneProducer): void {
    const tracker = new OffsetTracker(start, deltaCapacity(this.options.transport.clusterId));
    this.tracker = tracker;
    this.producer = producer;
    this.queue.clear();
    this.moved = false;
    this.committed = start.watermark;
    this.soughtBackTo = -1;
    if (isOther(this.topicId, topicId)) {
      // Offsets of the old topic mean nothing in the new one.
      this.reached = 0;
      if (this.isDraining) this.acceptBelow = 0;
    }
    this.topicId = topicId;
    this.laneState = 'open';
    this.pauses.resume('map full');
    // Records known from before a doubt are redelivered now, and need no room.
    this.pauses.resume('saturated');
    if (start.watermark < this.acceptBelow) this.pauses.resume('draining');
    this.options.listener.opened(this.partition, topicId, (offset) => tracker.wasSettledBefore(offset));
  }

  /**
   * Records before `offset` are missing from the fetch. If they were requested exactly and are still missing, they are transaction
   * markers or deleted. Otherwise the position had run ahead, and is set back once.
   */
  private acceptGap(tracker: OffsetTracker, batch: FetchedRecords, offset: number): boolean {
    const from = tracker.next;
    const first = Math.max(from, batch.logStart);
    if (batch.fetchedOffset > first && this.soughtBackTo !== from) {
      this.soughtBackTo = from;
      this.options.source.seek(this.partition, first);
      return false;
    }
    for (const record of this.options.listener.known(this.partition, from, offset - 1)) {
      tracker.accept(record.offset);
      this.options.listener.accepted(record);
    }
    if (batch.fetchedOffset > from) this.options.listener.gap(this.partition, from, offset - 1);
    tracker.skipTo(offset);
    this.moved = true;
    return true;
  }

  private settleSoon(): void {
    const hasWork = this.queue.length > 0 || this.moved;
    if (hasWork && !this.gathering && this.laneState === 'open') void this.settleAll();
  }

  /** Step 5 of the protocol: while requests are finished, all of them go into the next transaction. */
  private async settleAll(): Promise<void> {
    const { epoch, pace, queue } = this;
    const { clock } = this.options;
    this.gathering = true;
    // Requests that finish in the same moment go along, as when everything is redelivered after a doubt. Otherwise halving a
    // refused batch would start with one request each time and never progress.
    await Promise.resolve();
    while (epoch === this.epoch && (queue.length > 0 || this.moved)) {
      if (await pace.gather(clock.monotonic(), this.stopping.signal)) continue;
      const maxRequests = this.batchMaxRequests;
      const batch = takeBatch(queue, { maxRequests, maxBytes: this.options.batchMaxBytes });
      this.moved = false;
      const settled = this.settle(batch);
      pace.began(clock.monotonic(), batch.length, queue.length, settled);
      // During the search for a refused record, this result decides how large the next batch may be.
      if (maxRequests !== Number.POSITIVE_INFINITY) await settled;
    }
    if (epoch === this.epoch) this.gathering = false;
  }

  /** One transaction. If another one is in flight, it follows that one and fails with it. */
  private async settle(batch: readonly FinishedRequest[]): Promise<void> {
    const { tracker, producer, epoch } = this;
    if (tracker === null || producer === null) return;
    const { clock, listener, transport } = this.options;
    const began = clock.monotonic();
    for (const { offset } of batch) this.inFlight.add(offset);
    const snapshot = tracker.snapshotAfter(this.inFlight);
    try {
      const visibleAt = await producer.settle({
        offset: snapshot.watermark,
        metadata: encodeOffsetMap(transport.clusterId, this.topicId, snapshot),
        topicId: this.topicId,
        records: batch.flatMap((request) => request.records),
      });
      tracker.settled(batch.map((request) => request.offset));
      listener.settled(this.partition, batch, { began, visibleAt });
      if (epoch !== this.epoch) return;
      for (const { offset } of batch) this.inFlight.delete(offset);
      this.committed = snapshot.watermark;
      this.atRest.look();
      this.batchMaxRequests = Number.POSITIVE_INFINITY;
      this.doubts = 0;
      this.pauses.resume('map full');
    } catch (error) {
      if (epoch === this.epoch) this.doubt(error, batch);
    }
  }

  /** Step 6: the last transaction is in doubt, so read the committed position and send only the rest. */
  private doubt(error: unknown, batch: readonly FinishedRequest[]): void {
    // No wait if a batch is halved, which is progress, or if the connection was lost before anything started.
    if (!(error instanceof ProducerDisconnected) && (!(error instanceof RecordRefused) || batch.length === 1))
      this.doubts += 1;
    if (error instanceof RecordRefused) {
      if (batch.length === 1) batch[0]?.refused();
      this.batchMaxRequests = Math.max(1, Math.floor(batch.length / 2));
    }
    this.options.listener.inDoubt(this.partition, error);
    this.reopen();
  }

  /** The log is not as expected. The committed position and its topic decide what that means. */
  private suspect(reason: string): void {
    this.doubts += 1;
    this.options.listener.inDoubt(this.partition, new Error(reason));
    this.reopen();
  }

  private halt(reason: string): void {
    this.laneState = 'halted';
    this.leaveEpoch();
    this.pauses.pause('opening');
    this.options.listener.halted(this.partition, reason);
  }

  private leaveEpoch(): void {
    this.epoch += 1;
    this.queue.clear();
    this.atRest.stop();
    this.gathering = false;
    this.inFlight = new Set();
    this.pace = new SettlePace(this.options.settleSpacingMs);
    this.reached = Math.max(this.reached, this.tracker?.next ?? 0);
    this.tracker = null;
    const producer = this.producer;
    this.producer = null;
    void producer?.close();
  }
}
