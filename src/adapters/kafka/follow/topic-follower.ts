import { RepeatLimiter } from '../../../domain/limits/repeat-limiter.ts';
import type { FetchedRecords, TopicPartition } from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import { brokerError } from '../kafkajs/cluster-requests.ts';
import type { KafkaConnection } from '../kafkajs/kafka-client.ts';
import { mapInbound } from '../kafkajs/map-record.ts';
import { BrokerConnections } from '../produce/broker-connections.ts';
import type { FetchAnswer, FetchLimits, IsolationLevel } from './fetch-records.ts';
import { FollowedPartition } from './followed-partition.ts';
import { LeaderFetches } from './leader-fetches.ts';
import { OffsetLookup } from './offset-lookup.ts';
import { PartitionLeaders } from './partition-leaders.ts';
import type { PartitionToFollow } from './starting-point.ts';

/*
 * A partition is fetched from its leader, or waits for a moment because of an error and is then looked for again:
 *
 *   follow() -> fetched -> (answer) -> fetched ...
 *                  |
 *                  +-> (another leads it, no answer) -> waits -> leaders are read again -> fetched
 *                  +-> (its position is not in the log) -> waits -> goes to the log's start -> fetched
 *                  +-> (it may not be read) -> reading has failed
 */

/** Long enough to cost nothing, short enough that a partition that joins a request in flight does not wait for it. */
const MAX_WAIT_MS = 250;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_BYTES_PER_PARTITION = 1024 * 1024;
/** New partitions of a topic are noticed after so long. */
const LEADERS_MAX_AGE_MS = 30_000;
/** How long errors of a kind are only counted after one was logged. */
const QUIET_MS = 10_000;
const OFFSET_OUT_OF_RANGE = 1;
/** Permanent errors. */
const FINAL: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'UNSUPPORTED_COMPRESSION_TYPE',
]);

export interface FollowerOptions {
  readonly settings: KafkaConnection;
  readonly logger: Logger;
  readonly isolationLevel: IsolationLevel;
  /**
   * Called for each answer that brought something, in log order per partition; it may hold no records but move the position.
   * The next fetch from that broker waits for a promise. What it throws ends the reading.
   */
  readonly onFetched: (fetched: FetchedRecords) => void | Promise<void>;
  /** Reading has ended for good: nothing more will come. Called once at most. */
  readonly onFailed: (error: Error) => void;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/**
 * Reads given partitions from given positions, without a consumer group: nothing is joined, committed or left behind. It
 * outlives the loss of brokers and connections. Records come at least once and in order; twice only where a log was truncated.
 * Holds one answer of each broker at most.
 */
export class TopicFollower {
  private readonly options: FollowerOptions;
  private readonly connections: BrokerConnections;
  private readonly leaders: PartitionLeaders;
  private readonly lookup: OffsetLookup;
  private readonly fetches = new Map<number, LeaderFetches>();
  private readonly followed = new Map<string, FollowedPartition>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly limiter = new RepeatLimiter(QUIET_MS);
  private readonly closing = new AbortController();
  private readonly limits: FetchLimits;

  private constructor(options: FollowerOptions, connections: BrokerConnections) {
    this.options = options;
    this.connections = connections;
    this.leaders = new PartitionLeaders(connections);
    this.lookup = new OffsetLookup(connections, this.leaders, options.isolationLevel);
    this.limits = {
      isolationLevel: options.isolationLevel,
      maxWaitMs: MAX_WAIT_MS,
      maxBytes: MAX_BYTES,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    };
  }

  /** A follower of nothing yet. @throws when no configured broker answers, or the signal has fired */
  static async connect(options: FollowerOptions): Promise<TopicFollower> {
    options.signal?.throwIfAborted();
    const connections = await BrokerConnections.connect(options.settings, options.logger);
    const follower = new TopicFollower(options, connections);
    options.signal?.addEventListener('abort', follower.abort, { once: true });
    if (options.signal?.aborted === true) {
      await follower.close();
      options.signal.throwIfAborted();
    }
    return follower;
  }

  /**
   * The partitions of each topic, as of now; none of a topic that does not exist.
   *
   * @throws when no broker answers, or a topic may not be read
   */
  async partitionsOf(topics: readonly string[]): Promise<Map<string, readonly number[]>> {
    this.leaders.add(topics);
    await this.leaders.refresh();
    return new Map(topics.map((topic) => [topic, this.leaders.partitionsOf(topic)]));
  }

  /**
   * Follows these too, from the moment on when it resolves: with `end`, whatever is written from then on is seen. One that is
   * followed already goes on from its new position.
   *
   * @returns the offsets where reading begins, in the order of the partitions
   * @throws when one of the partitions may not be read, or the follower is closed meanwhile
   */
  async follow(partitions: readonly PartitionToFollow[]): Promise<number[]> {
    this.leaders.add(partitions.map(({ topic }) => topic));
    const offsets = await this.offsetsOf(partitions);
    this.closing.signal.throwIfAborted();
    for (const [index, partition] of partitions.entries()) {
      this.unfollow([partition]);
      const followed = new FollowedPartition(partition, offsets[index] ?? 0);
      this.followed.set(nameOf(partition), followed);
      this.place(followed);
    }
    return offsets;
  }

  /** The offset of the next record of a followed partition; null when it is not followed. */
  positionOf(partition: TopicPartition): number | null {
    return this.followed.get(nameOf(partition))?.offset ?? null;
  }

  /** The offsets of these points, as of now; each partition once. @throws as `follow` does */
  async offsetsOf(partitions: readonly PartitionToFollow[]): Promise<number[]> {
    this.leaders.add(partitions.map(({ topic }) => topic));
    return this.lookup.offsetsOf(partitions, this.closing.signal);
  }

  /** Stops following these partitions. */
  unfollow(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const followed = this.followed.get(nameOf(partition));
      if (followed === undefined) continue;
      this.followed.delete(nameOf(partition));
      for (const fetches of this.fetches.values()) fetches.remove(followed);
    }
  }

  /** Calls back with partitions that a topic has got since. */
  watchPartitions(topics: readonly string[], onAdded: (added: readonly TopicPartition[]) => void): void {
    const known = new Map(topics.map((topic) => [topic, this.leaders.partitionsOf(topic).length]));
    const timer = setInterval(() => {
      void this.leaders.refresh().then(
        () => {
          for (const topic of topics) {
            const added = this.leaders.partitionsOf(topic).slice(known.get(topic) ?? 0);
            if (added.length === 0 || this.closing.signal.aborted) continue;
            known.set(topic, this.leaders.partitionsOf(topic).length);
            onAdded(added.map((partition) => ({ topic, partition })));
          }
        },
        () => undefined,
      );
    }, LEADERS_MAX_AGE_MS);
    this.timers.add(timer);
  }

  /** Ends all requests and closes all connections. */
  async close(): Promise<void> {
    this.end(new Error('the follower was closed'));
    await this.connections.close();
  }

  private readonly abort = (): void => {
    void this.close();
  };

  private end(reason: Error): void {
    this.closing.abort(reason);
    this.options.signal?.removeEventListener('abort', this.abort);
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.unfollow([...this.followed.values()]);
  }

  private fail(error: unknown): void {
    if (this.closing.signal.aborted) return;
    const failure = error instanceof Error ? error : new Error(String(error));
    this.end(failure);
    void this.connections.close();
    this.options.onFailed(failure);
  }

  private isFollowed(followed: FollowedPartition): boolean {
    return this.followed.get(nameOf(followed)) === followed;
  }

  private place(followed: FollowedPartition): void {
    if (!this.isFollowed(followed)) return;
    const leader = this.leaders.leaderOf(followed);
    if (leader === null) this.wait(followed, 'LEADER_NOT_AVAILABLE');
    else this.fetchesOf(leader).add(followed);
  }

  private fetchesOf(nodeId: number): LeaderFetches {
    let fetches = this.fetches.get(nodeId);
    if (fetches === undefined) {
      fetches = new LeaderFetches(this.connections, nodeId, this.limits, {
        answered: (followed, answer, fetchedOffset) => {
          if (answer.errorCode === 0) return this.handOver(followed, answer, fetchedOffset);
          fetches?.remove(followed);
          this.refused(followed, answer.errorCode);
        },
        lost: (partitions, error) => {
          for (const followed of partitions) this.wait(followed, errorType(error) || nameOfError(error));
        },
      });
      this.fetches.set(nodeId, fetches);
    }
    return fetches;
  }

  private handOver(
    followed: FollowedPartition,
    { end, logStart, messages }: FetchAnswer,
    fetchedOffset: number,
  ): void | Promise<void> {
    followed.answered();
    const last = messages.at(-1);
    if (last === undefined) return;
    followed.offset = Number(last.offset) + 1;
    return this.deliver(followed, { end, logStart, messages }, fetchedOffset);
  }

  private deliver(
    { topic, partition, offset }: FollowedPartition,
    { end, logStart, messages }: Pick<FetchAnswer, 'end' | 'logStart' | 'messages'>,
    fetchedOffset: number,
  ): void | Promise<void> {
    const records = messages
      .filter(({ isControlRecord }) => !isControlRecord)
      .map((message) => mapInbound({ topic, partition }, message));
    const fetched = {
      topic,
      partition,
      fetchedOffset,
      highWatermark: end,
      logStart,
      records,
      nextOffset: offset,
    };
    try {
      return this.options.onFetched(fetched)?.catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  private refused(followed: FollowedPartition, errorCode: number): void {
    const error = brokerError(errorCode);
    const type = errorType(error) || `ERROR_${errorCode}`;
    const { topic, partition } = followed;
    if (!FINAL.has(type)) this.wait(followed, type, errorCode === OFFSET_OUT_OF_RANGE);
    else this.fail(new Error(`${topic}/${partition} cannot be read: ${error.message}`, { cause: error }));
  }

  /** @param isOutside whether the position is not in the log */
  private wait(followed: FollowedPartition, type: string, isOutside = false): void {
    if (!this.isFollowed(followed)) return;
    const { topic, partition } = followed;
    const delayMs = followed.failed();
    const suppressed = this.limiter.take(`${topic} ${type}`, performance.now());
    if (suppressed !== null)
      this.options.logger.warn(
        { topic, partition, error: type, suppressed },
        'a partition could not be read; trying again',
      );
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void this.resume(followed, isOutside);
    }, delayMs);
    this.timers.add(timer);
  }

  private async resume(followed: FollowedPartition, isOutside: boolean): Promise<void> {
    try {
      await this.leaders.refresh();
      if (isOutside) await this.moveIntoLog(followed);
      this.place(followed);
    } catch (error) {
      this.wait(followed, errorType(error) || nameOfError(error), isOutside);
    }
  }

  /** Records that were deleted meanwhile are lost to the reader. A log that ends before the position is a different log. */
  private async moveIntoLog(followed: FollowedPartition): Promise<void> {
    const { topic, partition } = followed;
    const [offset = 0] = await this.lookup.offsetsOf(
      [{ topic, partition, from: 'start' }],
      this.closing.signal,
    );
    if (!this.isFollowed(followed)) return;
    this.options.logger.warn(
      { topic, partition, offset: followed.offset, logStart: offset },
      'the position is outside the log; reading continues at the start of the log',
    );
    followed.offset = offset;
    await this.deliver(followed, { end: offset, logStart: offset, messages: [] }, followed.offset);
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
