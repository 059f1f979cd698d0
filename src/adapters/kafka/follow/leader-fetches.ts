import type { BrokerConnections } from '../produce/broker-connections.ts';
import { type FetchAnswer, type FetchLimits, fetchRecords } from './fetch-records.ts';
import type { FollowedPartition } from './followed-partition.ts';

/** A broker answers when `maxWaitMs` is over, even if there is nothing. Beyond this much more the connection is given up. */
const ANSWER_MARGIN_MS = 10_000;

/** What became of a fetch. */
export interface FetchListener {
  /**
   * A broker's answer for one partition. The next fetch from it waits for the promise, if there is one.
   *
   * @param fetchedOffset what was asked for
   */
  answered(followed: FollowedPartition, answer: FetchAnswer, fetchedOffset: number): void | Promise<void>;
  /** There was no answer: these partitions are fetched from nobody now. */
  lost(partitions: readonly FollowedPartition[], error: unknown): void;
}

/** Fetches from one broker: one request at a time, with all partitions that are followed there. */
export class LeaderFetches {
  private readonly connections: BrokerConnections;
  private readonly nodeId: number;
  private readonly limits: FetchLimits;
  private readonly listener: FetchListener;
  private readonly partitions = new Set<FollowedPartition>();
  private isRunning = false;
  private turn = 0;

  constructor(connections: BrokerConnections, nodeId: number, limits: FetchLimits, listener: FetchListener) {
    this.connections = connections;
    this.nodeId = nodeId;
    this.limits = limits;
    this.listener = listener;
  }

  /** From the next request on. */
  add(followed: FollowedPartition): void {
    this.partitions.add(followed);
    if (this.isRunning) return;
    this.isRunning = true;
    // What else is added in the same turn goes with it.
    queueMicrotask(() => void this.run());
  }

  remove(followed: FollowedPartition): void {
    this.partitions.delete(followed);
  }

  private async run(): Promise<void> {
    while (this.partitions.size > 0) {
      const asked = new Map(this.inTurn().map((followed) => [followed, followed.offset]));
      try {
        const answers = await this.fetch([...asked.keys()]);
        await this.handOver(asked, answers);
      } catch (error) {
        const lost = [...this.partitions];
        this.partitions.clear();
        this.listener.lost(lost, error);
      }
    }
    this.isRunning = false;
  }

  /** Another one comes first each time: a broker fills its answer in the order of the request. */
  private inTurn(): FollowedPartition[] {
    const all = [...this.partitions];
    this.turn = (this.turn + 1) % all.length;
    return [...all.slice(this.turn), ...all.slice(0, this.turn)];
  }

  private async fetch(partitions: readonly FollowedPartition[]): Promise<FetchAnswer[]> {
    const broker = await this.connections.broker(this.nodeId, 'main');
    const tooLate = setTimeout(
      () => this.connections.dropBroker(this.nodeId, 'main', broker),
      this.limits.maxWaitMs + ANSWER_MARGIN_MS,
    );
    try {
      return await fetchRecords(broker, partitions, this.limits);
    } catch (error) {
      this.connections.dropBroker(this.nodeId, 'main', broker);
      throw error;
    } finally {
      clearTimeout(tooLate);
    }
  }

  private async handOver(
    asked: ReadonlyMap<FollowedPartition, number>,
    answers: readonly FetchAnswer[],
  ): Promise<void> {
    const byName = new Map([...asked.keys()].map((followed) => [nameOf(followed), followed]));
    const handling: Promise<void>[] = [];
    for (const answer of answers) {
      const followed = byName.get(nameOf(answer));
      // It may have been removed meanwhile.
      if (followed === undefined || !this.partitions.has(followed)) continue;
      const done = this.listener.answered(followed, answer, asked.get(followed) ?? 0);
      if (done !== undefined) handling.push(done);
    }
    await Promise.all(handling);
  }
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`;
}
