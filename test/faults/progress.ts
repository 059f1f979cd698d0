import { setTimeout as wait } from 'node:timers/promises';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import { silent, type World } from '../support/world.ts';

const POLL_MS = 50;

/** The expected answers: their number by request id, and the unreadable records (`partition/offset`). */
export interface Wanted {
  readonly responses: ReadonlyMap<string, number>;
  readonly dead: ReadonlySet<string>;
}

/**
 * Follows responses and dead letters during a fault, to decide when to continue. It restarts when its consumer cannot
 * survive the state of the brokers. No check relies on it.
 */
export class Progress {
  private readonly world: World;
  private readonly seen = new Set<string>();
  private readonly counts = new Map<string, number>();
  private readonly deadPlaces = new Set<string>();
  private readonly following: Promise<void>;
  private settings: KafkaSettings;
  private crashed = Promise.withResolvers<void>();
  private closed = false;

  constructor(world: World) {
    this.world = world;
    this.settings = world.config.kafka;
    this.following = this.follow();
  }

  /** Responses so far. */
  get answered(): number {
    return this.seen.size;
  }

  has(requestId: string): boolean {
    return this.counts.has(requestId);
  }

  /** Describes what is still missing. Empty when everything is there. */
  missing({ responses, dead }: Wanted): string[] {
    return [
      ...[...responses].filter(([id, count]) => (this.counts.get(id) ?? 0) < count).map(([id]) => id),
      ...[...dead].filter((place) => !this.deadPlaces.has(place)).map((place) => `record ${place}`),
    ];
  }

  /** @returns whether the condition held in time */
  async until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    const giveUpAt = Date.now() + timeoutMs;
    while (!holds()) {
      if (Date.now() > giveUpAt || this.closed) return false;
      await wait(POLL_MS);
    }
    return true;
  }

  /**
   * Waits until everything is answered, or nothing new was answered for the given time. It reopens its reader halfway,
   * because partitions may have been added that brokers did not know at the start.
   *
   * @returns what is missing
   */
  async untilAnswered(wanted: Wanted, patienceMs: number): Promise<string[]> {
    for (let reopened = false; ; ) {
      const missing = this.missing(wanted);
      if (missing.length === 0) return missing;
      const before = this.answered;
      if (await this.until(() => this.answered !== before, patienceMs / 2)) reopened = false;
      else if (reopened) return this.missing(wanted);
      else {
        this.startAgain();
        reopened = true;
      }
    }
  }

  /** Waits until nothing new was answered for the given time, or until the time limit. */
  async untilQuiet(quietMs: number, timeoutMs: number): Promise<void> {
    const giveUpAt = Date.now() + timeoutMs;
    for (let before = -1; before !== this.answered && Date.now() < giveUpAt; ) {
      before = this.answered;
      await wait(quietMs);
    }
  }

  /** Switches to another cluster. Keeps what was already seen. */
  move(settings: KafkaSettings): void {
    this.settings = settings;
    this.crashed.resolve();
  }

  /** Reopens the reader, which sees only the partitions that existed when it started. */
  startAgain(): void {
    this.crashed.resolve();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.crashed.resolve();
    await this.following;
  }

  private async follow(): Promise<void> {
    const { topics } = this.world;
    while (!this.closed) {
      const { settings } = this;
      this.crashed = Promise.withResolvers<void>();
      try {
        const reader = await readTopics({
          settings,
          logger: silent,
          topics: [topics.responses, topics.dead],
          from: 'start',
          onRecord: (record) => this.add(record, settings),
          onCrash: () => this.crashed.resolve(),
        });
        if (!this.closed) await this.crashed.promise;
        await reader.close();
      } catch {
        await wait(500);
      }
    }
  }

  private add({ topic, partition, offset, value, headers }: InboundRecord, settings: KafkaSettings): void {
    const place = `${settings.brokers[0]}/${topic}/${partition}/${offset}`;
    if (this.seen.has(place)) return;
    this.seen.add(place);
    if (topic === this.world.topics.dead) {
      this.deadPlaces.add(`${headers['dead-partition']}/${headers['dead-offset']}`);
      return;
    }
    const { requestId } = this.world.codec.decode('ChatResponse', value, headers).record;
    this.counts.set(requestId, (this.counts.get(requestId) ?? 0) + 1);
  }
}
