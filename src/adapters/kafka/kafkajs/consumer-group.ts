import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { doubledMs, retry } from '../../../runtime/retry.ts';
import type { Broker } from './broker.ts';
import { errorType } from './broker-errors.ts';
import { internalOf } from './kafkajs-internals.ts';

type Offsets = Record<string, Record<number, string | null | undefined>>;

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Batch extends Place {
  readonly highWatermark: string;
  isEmptyDueToFiltering(): boolean;
  lastOffset(): string;
}

/** Of what hands over what was fetched. */
interface Runner {
  readonly running: boolean;
  readonly consumerGroup: ConsumerGroup;
  readonly fetchManager: { getFetchers(): readonly { stop(): Promise<void> }[] };
  readonly eachBatch?: unknown;
  readonly eachBatchAutoResolve: boolean;
  readonly instrumentationEmitter: { emit(event: string, payload: object): void };
  fetch(nodeId: unknown): Promise<readonly Batch[]>;
  handleBatch(batch: Batch): Promise<void>;
  processEachBatch(batch: Batch): Promise<void>;
  heartbeat(): Promise<void>;
}

/** Of kafkajs's member of a group, what is used here. */
interface ConsumerGroup {
  readonly groupId: string;
  readonly generationId: number | null;
  readonly memberId: string | null;
  readonly autoCommit: boolean;
  readonly maxWaitTime: number;
  readonly logger: { warn(message: string, extra: object): void };
  readonly topicConfigurations: Record<string, { readonly fromBeginning?: boolean }>;
  coordinator: Broker | null;
  readonly cluster: {
    refreshMetadata(): Promise<void>;
    findGroupCoordinator(of: { readonly groupId: string }): Promise<Broker>;
    fetchTopicsOffset(
      topics: readonly object[],
    ): Promise<readonly { readonly partitions: readonly { readonly offset: string }[] }[]>;
  };
  readonly seekOffset: { pop(topic: string, partition: number): object | undefined };
  /** When the coordinator has last answered a heartbeat. */
  readonly lastRequest: number;
  readonly offsetManager: {
    coordinator: Broker;
    readonly resolvedOffsets: Offsets;
    committedOffsets(): Offsets;
    seek(to: object): Promise<void>;
    resolveOffsets(): Promise<void>;
  };
  seek(to: Place & { readonly offset: string }): void;
  isPaused(topic: string, partition: number): boolean;
  heartbeat(of: { readonly interval: number }): Promise<void>;
  seekOffsets(partitions: readonly TopicPartitions[]): Promise<void>;
  joinAndSync(): Promise<void>;
  recoverFromFetch(error: Error): Promise<void>;
  recoverFromOffsetOutOfRange(at: Place): Promise<void>;
}

interface KafkaJsError extends Error {
  readonly type?: string;
  readonly code?: string;
}

/** The broker is down, does not answer, or is no member of the cluster any more. */
const LOST: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSLockTimeout',
  'KafkaJSBrokerNotFound',
]);
/** Another broker leads the partition, or none does. */
const MOVED: ReadonlySet<string> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
]);
/** Another broker coordinates the group, or will soon. */
const COORDINATOR_MOVED: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);

/** A new coordinator is there within some ten seconds of the loss of the old one. After longer kafkajs joins the group again. */
const COORDINATOR_PATIENCE_MS = 30_000;
/** Some ten seconds for a coordinator that moves or loads the group while it is joined. */
const JOIN_TRIES = 50;
const JOIN_DELAY_MS = 200;
const LONGEST_DELAY_MS = 1_000;

/** What is known of a member beside what kafkajs keeps. */
interface Contact {
  /** A heartbeat is in flight, or the coordinator is looked for. */
  isBeating: boolean;
  /** What the last heartbeat failed with, for the next one to tell. */
  failure: Error | null;
  coordinatorLostAt: number | null;
  /** By broker: fetches in a row that found it lost. */
  readonly losses: Map<unknown, number>;
}

/** One fetch from one broker. */
interface FetchAttempt {
  readonly nodeId: unknown;
  hasFailed: boolean;
}

const contacts = new WeakMap<ConsumerGroup, Contact>();
const attempts = new AsyncLocalStorage<FetchAttempt>();
let isInstalled = false;

/** Whether no broker has answered the fetch whose end kafkajs reports now. */
export function hasFetchFailed(): boolean {
  return attempts.getStore()?.hasFailed === true;
}

function contactOf(group: ConsumerGroup): Contact {
  const known = contacts.get(group);
  if (known !== undefined) return known;
  const contact = { isBeating: false, failure: null, coordinatorLostAt: null, losses: new Map() };
  contacts.set(group, contact);
  return contact;
}

/**
 * Lets a consumer of kafkajs survive the loss of a broker. kafkajs itself reacts to each of these errors by ending every fetch.
 * After some tries it joins the group as a new member, while the group still waits for the old one. Instead:
 *
 * - A broker that is unreachable, or no longer leads a partition, delays only its own partitions.
 * - A lost coordinator is looked up while fetches continue, and the membership is kept.
 * - A position outside the log becomes the log's start without a commit, which would erase the committed metadata.
 * - Positions set by a seek are not looked up.
 */
export function installConsumerGroup(): void {
  if (isInstalled) return;
  isInstalled = true;
  installRunner();
  const { prototype: group } = internalOf<{ prototype: ConsumerGroup }>('consumer/consumerGroup.js');
  const { heartbeat, joinAndSync, recoverFromFetch, recoverFromOffsetOutOfRange } = group;

  group.heartbeat = async function (this: ConsumerGroup, options) {
    const contact = contactOf(this);
    const { failure } = contact;
    contact.failure = null;
    if (failure !== null) throw failure;
    if (contact.isBeating) return;
    contact.isBeating = true;
    const { memberId, generationId, lastRequest } = this;
    void heartbeat
      .call(this, options)
      .then(() => {
        if (this.lastRequest !== lastRequest) contact.coordinatorLostAt = null;
      })
      .catch(async (error: KafkaJsError) => {
        const isPatient = isCoordinatorLost(error) && !isLostForLong(contact);
        if (isPatient) await findCoordinator(this);
        // The state of an earlier membership does not apply to this one.
        else if (memberId === this.memberId && generationId === this.generationId) contact.failure = error;
      })
      .finally(() => {
        contact.isBeating = false;
      });
  };

  group.joinAndSync = function (this: ConsumerGroup) {
    const isRetryable = (error: unknown) => isCoordinatorLost(error as KafkaJsError);
    return retry(() => joinAndSync.call(this), { tries: JOIN_TRIES, delayMs: JOIN_DELAY_MS, isRetryable });
  };

  group.recoverFromFetch = async function (this: ConsumerGroup, error: KafkaJsError) {
    if (!LOST.has(error.name) && !MOVED.has(error.type ?? '')) return recoverFromFetch.call(this, error);
    const attempt = attempts.getStore();
    const { losses } = contactOf(this);
    const before = losses.get(attempt?.nodeId) ?? 0;
    losses.set(attempt?.nodeId, before + 1);
    if (attempt !== undefined) attempt.hasFailed = true;
    // Metadata may tell the same again for a while.
    await wait(doubledMs(before + 1, this.maxWaitTime, LONGEST_DELAY_MS));
    await this.cluster.refreshMetadata().catch((reason: KafkaJsError) => {
      if (!LOST.has(reason.name)) throw reason;
    });
  };

  group.recoverFromOffsetOutOfRange = async function (this: ConsumerGroup, { topic, partition }) {
    if (this.autoCommit) return recoverFromOffsetOutOfRange.call(this, { topic, partition });
    const [start] = await this.cluster.fetchTopicsOffset([
      { topic, partitions: [{ partition }], ...this.topicConfigurations[topic] },
    ]);
    const offset = start?.partitions[0]?.offset;
    if (offset === undefined) return;
    this.logger.warn('a position is outside the log; reading continues at the start of the log', {
      topic,
      partition,
      offset,
    });
    this.seek({ topic, partition, offset });
  };

  group.seekOffsets = async function (this: ConsumerGroup, topicPartitions) {
    const { offsetManager } = this;
    const { resolvedOffsets } = offsetManager;
    const committed = offsetManager.committedOffsets();
    let isComplete = true;
    for (const { topic, partitions } of topicPartitions) {
      for (const partition of partitions) {
        const sought = this.seekOffset.pop(topic, partition);
        if (sought !== undefined) await offsetManager.seek(sought);
        const offsets = committed[topic];
        if (offsets?.[partition] != null || offsets === undefined) continue;
        const next = resolvedOffsets[topic]?.[partition];
        if (next != null) offsets[partition] = next;
        else if (!this.isPaused(topic, partition)) isComplete = false;
      }
    }
    if (!isComplete) await offsetManager.resolveOffsets();
  };
}

function isLostForLong(contact: Contact): boolean {
  contact.coordinatorLostAt ??= performance.now();
  return performance.now() - contact.coordinatorLostAt > COORDINATOR_PATIENCE_MS;
}

function isCoordinatorLost(error: KafkaJsError): boolean {
  return LOST.has(error.name) || COORDINATOR_MOVED.has(errorType(error));
}

/** One try; the next heartbeat that fails is the next one. */
async function findCoordinator(group: ConsumerGroup): Promise<void> {
  await wait(group.maxWaitTime);
  const coordinator = await group.cluster.findGroupCoordinator({ groupId: group.groupId }).catch(() => null);
  if (coordinator === null) return;
  group.coordinator = coordinator;
  group.offsetManager.coordinator = coordinator;
}

/**
 * A consumer that is stopped while its brokers change starts new fetches that nothing stops: each returns nothing at once, in
 * an endless loop that blocks the event loop.
 */
async function endFetching({ fetchManager }: Runner): Promise<readonly Batch[]> {
  await nextTurn();
  for (const fetcher of fetchManager.getFetchers()) void fetcher.stop();
  return [];
}

/**
 * Marks each fetch, ends those that nobody wants any more, and lets kafkajs hand over what it fetched also when no record is in it but markers of transactions and aborted records, to
 * consumers that say themselves how far they have come: it moves on without a word, and nobody could commit that.
 */
function installRunner(): void {
  const { prototype: runner } = internalOf<{ prototype: Runner }>('consumer/runner.js');
  const { fetch, handleBatch } = runner;
  runner.fetch = async function (this: Runner, nodeId) {
    if (!this.running) return endFetching(this);
    const attempt = { nodeId, hasFailed: false };
    return attempts.run(attempt, async () => {
      const batches = await fetch.call(this, nodeId);
      if (!attempt.hasFailed) contactOf(this.consumerGroup).losses.delete(nodeId);
      return batches;
    });
  };
  runner.handleBatch = async function (this: Runner, batch) {
    const isOurs = this.running && this.eachBatch != null && !this.eachBatchAutoResolve;
    if (!isOurs || !batch.isEmptyDueToFiltering()) return handleBatch.call(this, batch);
    await this.processEachBatch(batch);
    const { topic, partition, highWatermark } = batch;
    const { events } = internalOf<{ events: { END_BATCH_PROCESS: string } }>(
      'consumer/instrumentationEvents.js',
    );
    const payload = { topic, partition, highWatermark, lastOffset: batch.lastOffset() };
    this.instrumentationEmitter.emit(events.END_BATCH_PROCESS, payload);
    return this.heartbeat();
  };
}
