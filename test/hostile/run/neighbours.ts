import { setTimeout as wait } from 'node:timers/promises';
import type { ChatRequestInput } from '../../../src/contract/record-types.ts';
import type { Random } from '../../faults/random.ts';
import type { Script } from '../../support/stand-in/script.ts';
import { encodeSample } from '../generate/other-records.ts';
import type { RawProducer } from '../wire/raw-producer.ts';
import { encodeRecords, recordBatch } from '../wire/record-batch.ts';
import { NEIGHBOUR_MARK, type Publication } from './publication.ts';

export const NEIGHBOURS = 9;
/** The tenant with its own topic. */
export const BOUND_TENANT = 'tenant-9';

const KEYS_PER_TENANT = 12;
const TICK_MS = 20;

/** A request of one of the nine. */
export interface NeighbourRequest extends Publication {
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly sentAt: number;
  readonly value: Buffer;
}

export interface NeighbourTopics {
  readonly shared: string;
  readonly bound: string;
  readonly partitions: number;
}

/** Nine tenants with ordinary conversations at an even rate, until they are stopped. */
export class Neighbours {
  readonly published: NeighbourRequest[] = [];
  private readonly producer: RawProducer;
  private readonly topics: NeighbourTopics;
  private readonly random: Random;
  private readonly sending = new Set<Promise<void>>();
  private count = 0;
  private isOver = false;

  constructor(producer: RawProducer, topics: NeighbourTopics, random: Random) {
    this.producer = producer;
    this.topics = topics;
    this.random = random;
  }

  async publish(perSecond: number): Promise<void> {
    const began = performance.now();
    let sent = 0;
    while (!this.isOver) {
      const due = ((performance.now() - began) * perSecond) / 1_000;
      for (; sent < due; sent += 1) this.sendOne();
      await wait(TICK_MS);
    }
    await Promise.all(this.sending);
  }

  stop(): void {
    this.isOver = true;
  }

  private sendOne(): void {
    const sending = this.send();
    this.sending.add(sending);
    void sending.finally(() => this.sending.delete(sending));
  }

  private async send(): Promise<void> {
    const tenant = (this.count % NEIGHBOURS) + 1;
    this.count += 1;
    const requestId = `${NEIGHBOUR_MARK}${tenant}-${Math.ceil(this.count / NEIGHBOURS)}`;
    const conversation = this.random.between(1, KEYS_PER_TENANT);
    const key = `${NEIGHBOUR_MARK}${tenant}-conversation-${conversation}`;
    const topic = tenant === NEIGHBOURS ? this.topics.bound : this.topics.shared;
    const partition = (tenant * KEYS_PER_TENANT + conversation) % this.topics.partitions;
    const request = { requestId, tenantId: `tenant-${tenant}`, conversationId: key, ...ask(this.random) };
    const value = encodeSample(request);
    const records = encodeRecords([{ key: Buffer.from(key), value, headers: [] }]);
    const sentAt = performance.now();
    const appended = await this.producer.send(topic, partition, recordBatch(records, 1, 'none', Date.now()));
    if ('errorCode' in appended) throw new Error(`the broker refused a request with ${appended.errorCode}`);
    const offset = appended.baseOffset;
    this.published.push({ key, kind: 'neighbour', topic, partition, offset, requestId, sentAt, value });
  }
}

/** The mix of conversations: mostly streams, some with tools, some with two choices, some not streamed. */
function ask(random: Random): Pick<ChatRequestInput, 'messages' | 'tools' | 'n' | 'stream' | 'labels'> {
  const kind = random.next();
  const script: Script = {
    tokens: random.between(3, 15),
    firstTokenMs: random.between(5, 60),
    gapMs: random.between(2, 15),
    promptTokens: random.between(5, 500),
  };
  if (kind < 0.15) {
    const city = `Town ${random.between(1, 999)}`;
    const tool = {
      name: 'get_weather',
      parametersJson:
        '{"type":"object","properties":{"city":{"type":"string","pattern":"^[A-Z]"}},"required":["city"]}',
    };
    const { tokens: _, ...rest } = script;
    return {
      ...prompt({ ...rest, toolCalls: [{ name: 'get_weather', arguments: { city } }] }),
      tools: [tool],
    };
  }
  if (kind < 0.2) return { ...prompt(script), n: 2 };
  if (kind < 0.3) return { ...prompt(script), stream: false };
  return { ...prompt(script), labels: { team: 'search' } };
}

function prompt(script: Script): { messages: { role: string; content: string }[] } {
  return { messages: [{ role: 'user', content: JSON.stringify({ standIn: script }) }] };
}
