import { setImmediate as nextTurn } from 'node:timers/promises';
import kafkajs, { type Batch, type Consumer, type ConsumerCrashEvent } from 'kafkajs';
import type {
  FetchedRecords,
  InboundRecord,
  RequestSource,
  RequestSourceListener,
  TopicPartition,
} from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { logStartOf } from '../fetch/read-fetch-response.ts';
import { hasFetchFailed } from '../kafkajs/consumer-group.ts';
import { createKafka, type KafkaSettings, PATIENT_RETRIES } from '../kafkajs/kafka-client.ts';
import { mapInbound } from '../kafkajs/map-record.ts';
import { type Membership, stickyAssigner } from './sticky-assigner.ts';

/** Bounds the memory of one fetch; what is accepted is bounded by the pipeline. */
const FETCH_MAX_BYTES = 5 * 1024 * 1024;
const FETCH_MAX_BYTES_PER_PARTITION = 1024 * 1024;
/** Also how long kafkajs sleeps while everything is paused: the reaction time of `resume`. */
const FETCH_MAX_WAIT_MS = 100;
/** kafkajs hands a batch to each of its workers; more than any host will be assigned partitions. */
const CONCURRENT_BATCHES = 64;
/** Handed over in one step: some milliseconds of decoding. A larger record gets a step of its own. */
const STEP_RECORDS = 100;
const STEP_BYTES = 64 * 1024;
/** A header takes as long to read as so many bytes of a value. */
const STEP_BYTES_PER_HEADER = 256;

/**
 * Reads the request topics as a member of the consumer group. The handler returns at once, so that heartbeats and fetches
 * never wait for a model. kafkajs commits nothing.
 */
export class KafkaRequestSource implements RequestSource {
  private readonly consumer: Consumer;
  private readonly topics: readonly string[];
  private readonly membership: Membership = { owned: new Set(), draining: false };
  private readonly logger: Logger;
  /** How long the coordinator may be silent before it reassigns this member's partitions, also during a rebalance. */
  private readonly sessionMs: number;
  private readonly rebalanceMs: number;
  private lastFetchAt: number | null = null;
  private listener: RequestSourceListener | null = null;
  /** When the group drops this member (monotonic clock), unless its coordinator answers before. */
  private givenUpAt = Number.POSITIVE_INFINITY;
  private isJoined = false;
  private hasLeft = false;
  /** Leaving and joining, one after the other. */
  private changing: Promise<void> = Promise.resolve();

  constructor(settings: KafkaSettings, topics: readonly string[], logger: Logger) {
    this.topics = topics;
    this.logger = logger;
    this.sessionMs = settings.sessionTimeoutMs;
    this.rebalanceMs = Math.max(settings.sessionTimeoutMs, 30_000);
    this.consumer = createKafka(settings, logger, PATIENT_RETRIES).consumer({
      groupId: settings.groupId,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: this.rebalanceMs,
      heartbeatInterval: Math.floor(settings.sessionTimeoutMs / 6),
      metadataMaxAge: 30_000,
      allowAutoTopicCreation: false,
      maxBytes: FETCH_MAX_BYTES,
      maxBytesPerPartition: FETCH_MAX_BYTES_PER_PARTITION,
      maxWaitTimeInMs: FETCH_MAX_WAIT_MS,
      // Transient failures are waited out. Pauses and seeks are set again after every rejoin.
      retry: { ...PATIENT_RETRIES, restartOnFailure: async () => true },
      // The second assigner is the one that members of other service versions support as well.
      partitionAssigners: [stickyAssigner(this.membership), kafkajs.PartitionAssigners.roundRobin],
      readUncommitted: false,
    });
  }

  async start(listener: RequestSourceListener): Promise<void> {
    const { consumer } = this;
    this.listener = listener;
    const { GROUP_JOIN, HEARTBEAT, REBALANCING, CRASH, FETCH, END_BATCH_PROCESS } = consumer.events;
    // kafkajs calls listeners synchronously: pauses and seeks made here apply before the first fetch of the assignment.
    consumer.on(GROUP_JOIN, ({ payload }) => {
      this.isJoined = true;
      this.answered(this.sessionMs);
      // It joined although it should leave: it leaves as soon as kafkajs has finished joining.
      if (this.hasLeft) {
        void nextTurn().then(() => this.stopConsuming());
        return;
      }
      const partitions = Object.entries(payload.memberAssignment).flatMap(([topic, numbers]) =>
        numbers.map((partition) => ({ topic, partition })),
      );
      this.membership.owned = new Set(partitions.map(({ topic, partition }) => `${topic}/${partition}`));
      listener.assigned(payload.memberId, partitions, payload.duration);
    });
    consumer.on(HEARTBEAT, () => this.answered(this.sessionMs));
    consumer.on(REBALANCING, () => this.answered(this.rebalanceMs + this.sessionMs));
    consumer.on(CRASH, ({ payload }: ConsumerCrashEvent) => {
      this.membership.owned = new Set();
      this.isJoined = false;
      if (payload.restart) listener.interrupted(payload.error);
      else listener.crashed(payload.error);
    });
    consumer.on(FETCH, () => {
      if (!hasFetchFailed()) this.lastFetchAt = performance.now();
    });
    if (listener.progressed !== undefined) {
      consumer.on(END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset, highWatermark } }) =>
        listener.progressed?.({ topic, partition }, Number(lastOffset) + 1, Number(highWatermark)),
      );
    }
    await consumer.connect();
    await consumer.subscribe({ topics: [...this.topics], fromBeginning: true });
    await this.run(listener);
  }

  private async run(listener: RequestSourceListener): Promise<void> {
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: CONCURRENT_BATCHES,
      eachBatch: async ({ batch, resolveOffset, isStale }) => {
        for (const records of recordsInSteps(batch as FetchedBatch)) {
          if (records.isLater) await nextTurn();
          // After a seek, even one in the step before, the rest of the batch is stale.
          if (isStale() || !listener.fetched(records)) return;
          resolveOffset(String(records.nextOffset - 1));
        }
      },
    });
  }

  pause({ topic, partition }: TopicPartition): void {
    this.whileInGroup(() => this.consumer.pause([{ topic, partitions: [partition] }]));
  }

  resume({ topic, partition }: TopicPartition): void {
    this.whileInGroup(() => this.consumer.resume([{ topic, partitions: [partition] }]));
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    this.whileInGroup(() => this.consumer.seek({ topic, partition, offset: String(offset) }));
  }

  /** Commits the read position to the group's coordinator, for tools that show lag. The service never reads it. */
  async commit({ topic, partition }: TopicPartition, offset: number): Promise<void> {
    await this.consumer.commitOffsets([{ topic, partition, offset: String(offset) }]);
  }

  advertiseDraining(): void {
    this.membership.draining = true;
  }

  async stop(): Promise<void> {
    await this.changing;
    await this.consumer.disconnect();
  }

  /** Hands every partition to the other members, until `rejoin`. Calls the listener's `interrupted`. */
  leave(reason: Error): void {
    if (this.listener === null || this.hasLeft) return;
    this.hasLeft = true;
    this.listener.interrupted(reason);
    if (this.isJoined) this.stopConsuming();
  }

  /** Joins the group again after `leave`. */
  rejoin(): void {
    const { listener } = this;
    if (listener === null || !this.hasLeft) return;
    this.hasLeft = false;
    this.change(() => this.run(listener));
  }

  /** Whether the coordinator was silent for so long that the group has assigned this member's partitions to others. */
  hasLostGroup(): boolean {
    return performance.now() > this.givenUpAt;
  }

  private answered(patienceMs: number): void {
    this.givenUpAt = performance.now() + patienceMs;
  }

  private stopConsuming(): void {
    this.isJoined = false;
    this.givenUpAt = Number.POSITIVE_INFINITY;
    this.membership.owned = new Set();
    this.change(() => this.consumer.stop());
  }

  private change(act: () => Promise<void>): void {
    this.changing = this.changing.then(act).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'leaving or joining the consumer group failed');
    });
  }

  /** kafkajs refuses these outside the group. A rejoin sets every pause and position anyway. */
  private whileInGroup(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof kafkajs.KafkaJSNonRetriableError)) throw error;
    }
  }

  lastFetchAgeMs(): number | null {
    return this.lastFetchAt === null ? null : performance.now() - this.lastFetchAt;
  }
}

interface Step extends FetchedRecords {
  readonly isLater: boolean;
}

/** A fetched batch, divided into short decoding steps, because the event loop has streams to serve. */
function* recordsInSteps(batch: FetchedBatch): Generator<Step> {
  const { topic, partition, messages } = batch;
  const place = {
    topic,
    partition,
    highWatermark: Number(batch.highWatermark),
    logStart: logStartOf(batch.rawMessages),
  };
  let nextFetched = Number(batch.fetchedOffset);
  let begin = 0;
  do {
    const records: InboundRecord[] = [];
    let bytes = 0;
    for (
      let at = begin;
      at < messages.length && records.length < STEP_RECORDS && bytes < STEP_BYTES;
      at += 1
    ) {
      const message = messages[at];
      if (message === undefined) break;
      const record = mapInbound(place, message);
      bytes += (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
      bytes += Object.keys(record.headers).length * STEP_BYTES_PER_HEADER;
      records.push(record);
    }
    const isLater = begin > 0;
    begin += records.length;
    const isLast = begin === messages.length;
    const nextOffset = (isLast ? Number(batch.lastOffset()) : (records.at(-1)?.offset ?? nextFetched)) + 1;
    yield { ...place, fetchedOffset: nextFetched, records, isLater, nextOffset };
    nextFetched = nextOffset;
  } while (begin < messages.length);
}

/** kafkajs provides both offsets but does not type them. */
interface FetchedBatch extends Batch {
  readonly fetchedOffset: string;
  readonly rawMessages: readonly object[];
}
