import type { TopicPartition } from '../../../ports/kafka.ts';
import { retry } from '../../../runtime/retry.ts';

/**
 * Between a commit and the next transaction the coordinator is busy for a few milliseconds, and for longer when it has just taken over and
 * loads what it coordinates.
 */
const BUSY: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS', 'GROUP_LOAD_IN_PROGRESS']);
const BUSY_DELAY_MS = 3;
const BUSY_TRIES = 1_000;

/** It passes as soon as a broker that has the partition is up. */
export class NoLeader extends Error {
  override readonly name = 'NoLeader';
  /** As kafkajs marks what may be tried again. */
  readonly retriable = true;

  constructor(topic: string, partition: number) {
    super(
      `${topic} has no leader of partition ${partition} now; it can be tried again once a broker that has a replica of it is up`,
    );
  }
}

/** A request topic has more partitions than its outputs: it passes once they have as many. */
class NoSuchPartition extends Error {
  override readonly name = 'NoSuchPartition';
  readonly retriable = true;

  constructor(topic: string, partition: number, count: number) {
    super(
      `${topic} has no partition ${partition}, only ${count} partitions, so requests in partition ${partition} wait; add what is missing with: completion-bus topics create`,
    );
  }
}

/**
 * The leader of a partition.
 *
 * @param known the topic's partitions, from the cluster's metadata
 * @throws NoLeader, or NoSuchPartition where the topic has others
 */
export function leaderOf(
  { topic, partition }: TopicPartition,
  known: readonly { readonly partitionId: number; readonly leader: number }[],
): number {
  const found = known.find(({ partitionId }) => partitionId === partition);
  if (found === undefined && known.length > 0) throw new NoSuchPartition(topic, partition, known.length);
  if (found === undefined || found.leader < 0) throw new NoLeader(topic, partition);
  return found.leader;
}

/** The broker's name of an error, however deep kafkajs has wrapped it. */
export function errorType(error: unknown): string {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const { type, originalError } = inner as { type?: unknown; originalError?: unknown };
    if (typeof type === 'string') return type;
    if (originalError instanceof Error) return errorType(originalError);
  }
  return '';
}

/** Asks again while the coordinator is busy: then it has done nothing of what was asked. */
export function whileBusy<Result>(ask: () => Promise<Result>): Promise<Result> {
  const isRetryable = (error: unknown) => BUSY.has(errorType(error));
  return retry(ask, { tries: BUSY_TRIES, delayMs: BUSY_DELAY_MS, isRetryable });
}
