import { backoff } from '../../../runtime/backoff.ts';
import { errorType } from '../kafkajs/broker-errors.ts';
import { brokerError } from '../kafkajs/cluster-requests.ts';
import type { BrokerConnections } from '../produce/broker-connections.ts';
import type { IsolationLevel } from './fetch-records.ts';
import { LOG_END, LOG_START, listOffsets } from './list-offsets.ts';
import type { PartitionLeaders } from './partition-leaders.ts';
import type { PartitionToFollow, StartingPoint } from './starting-point.ts';

/** Permanent errors. */
const FINAL: ReadonlySet<string> = new Set(['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED']);

/** A question and its place in the answer. */
interface Open {
  readonly index: number;
  readonly partition: PartitionToFollow;
  readonly timestamp: number;
}

/** Finds the offsets of starting points, by asking leaders until each has answered. */
export class OffsetLookup {
  private readonly connections: BrokerConnections;
  private readonly leaders: PartitionLeaders;
  private readonly isolationLevel: IsolationLevel;

  constructor(connections: BrokerConnections, leaders: PartitionLeaders, isolationLevel: IsolationLevel) {
    this.connections = connections;
    this.leaders = leaders;
    this.isolationLevel = isolationLevel;
  }

  /**
   * @returns in the order of the partitions
   * @throws the signal's reason, or when one of the partitions may not be read
   */
  async offsetsOf(partitions: readonly PartitionToFollow[], signal: AbortSignal): Promise<number[]> {
    const offsets: number[] = [];
    let open: Open[] = [];
    for (const [index, partition] of partitions.entries()) {
      const { from } = partition;
      if (typeof from === 'object' && 'offset' in from) offsets[index] = from.offset;
      else open.push({ index, partition, timestamp: timestampOf(from) });
    }
    for (let tries = 0; open.length > 0; tries += 1) {
      signal.throwIfAborted();
      if (tries > 0) await this.pause(tries, signal);
      open = await this.ask(open, offsets);
    }
    return offsets;
  }

  private async pause(tries: number, signal: AbortSignal): Promise<void> {
    await backoff(tries - 1, signal);
    signal.throwIfAborted();
    await this.leaders.refresh().catch(() => undefined);
  }

  /** @returns the questions to ask again */
  private async ask(open: readonly Open[], offsets: number[]): Promise<Open[]> {
    const byLeader = Map.groupBy(open, ({ partition }) => this.leaders.leaderOf(partition));
    const left = [...byLeader].map(async ([nodeId, questions]) =>
      nodeId === null ? questions : this.askLeader(nodeId, questions, offsets),
    );
    return (await Promise.all(left)).flat();
  }

  private async askLeader(nodeId: number, open: Open[], offsets: number[]): Promise<Open[]> {
    const left = new Set(open);
    try {
      const broker = await this.connections.broker(nodeId, 'main');
      const questions = open.map(({ partition: { topic, partition }, timestamp }) => ({
        topic,
        partition,
        timestamp,
      }));
      for (const answer of await listOffsets(broker, questions, this.isolationLevel)) {
        const question = open.find(
          ({ partition: { topic, partition } }) => topic === answer.topic && partition === answer.partition,
        );
        if (question === undefined) continue;
        throwIfFinal(answer.errorCode, question.partition);
        if (answer.errorCode !== 0) continue;
        left.delete(question);
        // All records are older.
        if (answer.offset < 0) left.add({ ...question, timestamp: LOG_END });
        else offsets[question.index] = answer.offset;
      }
    } catch (error) {
      if (error instanceof NotReadable) throw error;
    }
    return [...left];
  }
}

class NotReadable extends Error {
  override readonly name = 'NotReadable';
}

function throwIfFinal(errorCode: number, { topic, partition }: PartitionToFollow): void {
  if (errorCode === 0) return;
  const cause = brokerError(errorCode);
  if (FINAL.has(errorType(cause)))
    throw new NotReadable(`${topic}/${partition} cannot be read: ${cause.message}`, { cause });
}

function timestampOf(from: StartingPoint): number {
  if (from === 'start') return LOG_START;
  if (from === 'end') return LOG_END;
  return 'timestamp' in from ? from.timestamp : LOG_START;
}
