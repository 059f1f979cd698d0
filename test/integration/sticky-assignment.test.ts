import { randomUUID } from 'node:crypto';
import type { Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KafkaRequestSource } from '../../src/adapters/kafka/consumer/request-source.ts';
import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { silent } from '../support/world.ts';

const PARTITIONS = 6;
const topic = `sticky-${randomUUID().slice(0, 8)}`;
const settings = loadConfig(
  {
    KAFKA_BROKERS: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092',
    KAFKA_SESSION_TIMEOUT: '6s',
  },
  { readFile: () => '' },
).kafka;

let admin: Admin;
let group: Group;

beforeAll(async () => {
  admin = createKafka(settings, silent, PATIENT_RETRIES).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true });
});
afterEach(async () => {
  await group.close();
  await admin.deleteGroups([group.id]);
});
afterAll(async () => {
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
});

interface Member {
  readonly source: KafkaRequestSource;
  owned: Set<number>;
  /** Number of its assignments, including empty ones. */
  divisions: number;
}

/** Members of one consumer group, each like a separate worker. */
class Group {
  readonly id = `${topic}-${randomUUID().slice(0, 8)}`;
  private readonly members = new Set<Member>();
  private changed = Promise.withResolvers<void>();

  async join(): Promise<Member> {
    const source = new KafkaRequestSource({ ...settings, groupId: this.id }, [topic], silent);
    const member: Member = { source, owned: new Set(), divisions: 0 };
    this.members.add(member);
    await source.start({
      assigned: (_memberId, partitions) => {
        member.owned = new Set(partitions.map(({ partition }) => partition));
        member.divisions += 1;
        this.changed.resolve();
        this.changed = Promise.withResolvers<void>();
      },
      fetched: () => true,
      interrupted: () => undefined,
      crashed: () => undefined,
    });
    return member;
  }

  /** Leaves, and waits for the rebalance among the others. */
  async leave(member: Member): Promise<void> {
    this.members.delete(member);
    const before = [...this.members].map((other) => ({ other, divisions: other.divisions }));
    await member.source.stop();
    while (before.some(({ other, divisions }) => other.divisions === divisions)) await this.changed.promise;
  }

  /** Waits until the members have this many partitions, in join order, and every partition is assigned. */
  async reaches(...counts: number[]): Promise<void> {
    for (;;) {
      const owned = [...this.members].map((member) => member.owned);
      const all = new Set(owned.flatMap((partitions) => [...partitions]));
      const sizes = owned.map(({ size }) => size);
      if (all.size === PARTITIONS && String(sizes) === String(counts)) return;
      await this.changed.promise;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.members].map(({ source }) => source.stop()));
  }
}

describe('partitions of a group on a real broker', () => {
  it('move as few as possible when a member joins, and only its own when it leaves', async () => {
    group = new Group();
    const first = await group.join();
    await group.reaches(6);

    const second = await group.join();
    await group.reaches(3, 3);
    const [ofFirst, ofSecond] = [first.owned, second.owned];

    const third = await group.join();
    await group.reaches(2, 2, 2);
    expect([...ofFirst]).toEqual(expect.arrayContaining([...first.owned]));
    expect([...ofSecond]).toEqual(expect.arrayContaining([...second.owned]));

    const kept = [first.owned, third.owned] as const;
    await group.leave(second);
    await group.reaches(3, 3);
    expect([...first.owned]).toEqual(expect.arrayContaining([...kept[0]]));
    expect([...third.owned]).toEqual(expect.arrayContaining([...kept[1]]));
  });

  it('are not assigned to a draining member, from the next rebalance on', async () => {
    group = new Group();
    const draining = await group.join();
    await group.reaches(6);
    const staying = await group.join();
    await group.reaches(3, 3);
    const kept = staying.owned;

    draining.source.advertiseDraining();
    const next = await group.join();
    await group.reaches(0, 3, 3);
    expect(staying.owned).toEqual(kept);

    // When it then leaves, nothing moves.
    const before = [staying.owned, next.owned];
    await group.leave(draining);
    await group.reaches(3, 3);
    expect([staying.owned, next.owned]).toEqual(before);
  });
});
