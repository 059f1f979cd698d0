import { setTimeout as wait } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import {
  createKafka,
  type KafkaSettings,
  NO_RETRIES,
  PATIENT_RETRIES,
} from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { silent, type World } from '../support/world.ts';
import type { Random } from './random.ts';
import { Workload, type WorkloadOptions, type WorkloadRecord } from './workload.ts';

const TICK_MS = 50;
const RUBBISH = Buffer.from([0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

export interface Pace {
  readonly perSecond: number;
  readonly least: number;
  /** Whether too few of the given number of published records are answered. */
  readonly isBehind: (published: number) => boolean;
}

/** Publishes a workload at an even rate, whatever happens to the brokers. Unacknowledged records are published again. */
export class Load {
  /** Acknowledged records, in the order of publishing. */
  readonly published: WorkloadRecord[] = [];
  readonly expected = new Map<string, 'COMPLETED' | 'FAILED'>();
  private readonly world: World;
  private readonly workload: Workload;
  private producer: Producer;
  /** Records whose send failed. Some may have been written all the same. */
  readonly unacknowledged: WorkloadRecord[] = [];
  private readonly sending = new Set<Promise<void>>();
  private stopped = false;
  private paused: PromiseWithResolvers<void> | null = null;

  private constructor(world: World, workload: Workload, producer: Producer) {
    this.world = world;
    this.workload = workload;
    this.producer = producer;
  }

  static async start(world: World, random: Random, options: WorkloadOptions, prefix?: string): Promise<Load> {
    return new Load(world, new Workload(random, options, prefix), await connectProducer(world.config.kafka));
  }

  /** Switches publishing to another cluster. */
  async move(settings: KafkaSettings): Promise<void> {
    await this.producer.disconnect();
    this.producer = await connectProducer(settings);
  }

  /**
   * Publishes at this rate until it is stopped, but at least the given number of records. Resolves when all are acknowledged.
   * It pauses while the service is far behind, so that a slow machine does not pile up work during the fault.
   */
  async publishUntil(isOver: () => boolean, { perSecond, least, isBehind }: Pace): Promise<void> {
    let due = 0;
    while (!this.stopped && (!isOver() || this.published.length < least)) {
      await this.paused?.promise;
      if (isBehind(this.published.length)) {
        await wait(TICK_MS);
        continue;
      }
      due += (perSecond * TICK_MS) / 1000;
      const records = Array.from({ length: Math.floor(due) }, () => this.workload.next());
      due -= records.length;
      if (records.length > 0) await this.send(records);
      await wait(TICK_MS);
    }
  }

  /** Publishes the given number of records at once. */
  async burst(count: number): Promise<void> {
    await this.send(Array.from({ length: count }, () => this.workload.next()));
  }

  /** Publishes these records at once. */
  async send(records: readonly WorkloadRecord[]): Promise<void> {
    const sending = this.sendAll(records);
    this.sending.add(sending);
    await sending.finally(() => this.sending.delete(sending));
  }

  private async sendAll(records: readonly WorkloadRecord[]): Promise<void> {
    for (const { request, expected } of records) {
      if (request === null) continue;
      const known = this.expected.get(request.requestId);
      if (expected !== null && known === undefined) this.expected.set(request.requestId, expected);
    }
    const messages = records.map(({ key, request, headers }) => ({
      key,
      value: request === null ? RUBBISH : this.world.codec.encode('ChatRequest', request),
      headers,
    }));
    while (!this.stopped) {
      try {
        await this.producer.send({ topic: this.world.topics.requests, messages });
        this.published.push(...records);
        return;
      } catch {
        this.unacknowledged.push(...records);
        await wait(200);
      }
    }
  }

  /** Resolves when every sent record is acknowledged. */
  async pause(): Promise<void> {
    this.paused ??= Promise.withResolvers();
    await Promise.all(this.sending);
  }

  resume(): void {
    this.paused?.resolve();
    this.paused = null;
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.resume();
    await this.producer.disconnect();
  }
}

async function connectProducer(settings: KafkaSettings): Promise<Producer> {
  const producer = createKafka(settings, silent, PATIENT_RETRIES).producer({
    allowAutoTopicCreation: false,
    // No retries in kafkajs: its automatic retries could write duplicates unnoticed.
    retry: NO_RETRIES,
    metadataMaxAge: 1_000,
  });
  await producer.connect();
  return producer;
}
