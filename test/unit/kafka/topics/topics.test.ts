import type { Admin, ITopicConfig } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { growTopics, repairPartitions } from '../../../../src/adapters/kafka/topics/grow-topics.ts';
import {
  checkTopics,
  createTopics,
  type TopicExpectations,
} from '../../../../src/adapters/kafka/topics/topics.ts';

const plan = {
  prefix: 'chat',
  requests: [
    { topic: 'chat.requests', tenantId: null },
    { topic: 'chat.requests.acme', tenantId: 'acme' },
  ],
  partitions: 6,
  replication: 3,
};

const DAY_MS = 86_400_000;
const expected = { ledgerTtlMs: 14 * DAY_MS, recordMaxBytes: 900_000 };

/** A cluster that creates the requested topics, with a broker's default sizes. */
class Cluster {
  readonly topics = new Map<string, { partitions: number; settings: Map<string, string> }>();
  creations = 0;
  /** Topics that were given more partitions, in that order. */
  readonly grown: string[] = [];
  /** Overrides the metadata answers after a creation. */
  readonly hiccups: (Error | 'no leader')[] = [];

  get admin(): Admin {
    const listTopics = async () => [...this.topics.keys()];
    return {
      listTopics,
      createTopics: async ({ topics }: { topics: ITopicConfig[] }) => {
        this.creations += 1;
        for (const { topic, numPartitions, configEntries } of topics) {
          const given = (configEntries ?? []).map(({ name, value }): [string, string] => [name, value]);
          const settings = new Map([['max.message.bytes', '1048588'], ...given]);
          this.topics.set(topic, { partitions: numPartitions ?? 1, settings });
        }
        return true;
      },
      fetchTopicMetadata: async ({ topics }: { topics: string[] }) => {
        const hiccup = this.creations > 0 ? this.hiccups.shift() : undefined;
        if (hiccup instanceof Error) throw hiccup;
        const partition = { leader: hiccup === undefined ? 1 : -1 };
        return {
          topics: topics.map((name) => ({
            name,
            partitions: Array.from({ length: this.topics.get(name)?.partitions ?? 0 }, () => partition),
          })),
        };
      },
      createPartitions: async ({
        topicPartitions,
      }: {
        topicPartitions: { topic: string; count: number }[];
      }) => {
        for (const { topic, count } of topicPartitions) {
          this.grown.push(topic);
          const known = this.topics.get(topic);
          if (known !== undefined) known.partitions = count;
        }
        return true;
      },
      describeConfigs: async ({ resources }: { resources: { name: string; configNames: string[] }[] }) => ({
        resources: resources.map(({ name, configNames }) => ({
          resourceName: name,
          configEntries: configNames.map((configName) => ({
            configName,
            configValue: this.topics.get(name)?.settings.get(configName),
          })),
        })),
      }),
    } as unknown as Admin;
  }

  static async withAllTopics(): Promise<Cluster> {
    const cluster = new Cluster();
    await createTopics(cluster.admin, plan);
    return cluster;
  }

  grow(topic: string, partitions: number): void {
    const known = this.topics.get(topic);
    if (known !== undefined) known.partitions = partitions;
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.topics].map(([topic, { partitions }]) => [topic, partitions]));
  }

  set(topic: string, name: string, value: string): void {
    this.topics.get(topic)?.settings.set(name, value);
  }
}

const problemsOf = (cluster: Cluster, overrides: Partial<TopicExpectations> = {}) =>
  checkTopics(cluster.admin, plan, { ...expected, ...overrides }).then(
    () => '',
    (error: Error) => error.message,
  );

describe('createTopics', () => {
  it('creates every topic, with as many partitions as its records need', async () => {
    const cluster = new Cluster();
    const created = await createTopics(cluster.admin, plan);
    expect(created).toEqual([...cluster.topics.keys()]);
    const counts = [...cluster.topics].map(([topic, { partitions }]) => [topic, partitions]);
    expect(Object.fromEntries(counts)).toEqual({
      'chat.requests': 6,
      'chat.requests.acme': 6,
      'chat.cancellations': 1,
      'chat.chunks': 6,
      'chat.responses': 6,
      'chat.message-sent': 6,
      'chat.response-generated': 6,
      'chat.costs': 6,
      'chat.model-changes': 1,
      'chat.requests.dead': 6,
      'chat.replies': 6,
    });
  });

  it('keeps costs forever and compacts nothing', async () => {
    const { topics } = await Cluster.withAllTopics();
    expect(topics.get('chat.costs')?.settings.get('retention.ms')).toBe('-1');
    for (const { settings } of topics.values()) expect(settings.get('cleanup.policy')).toBe('delete');
  });

  it('creates only missing topics, and sends no request when none is missing', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.topics.delete('chat.chunks');
    expect(await createTopics(cluster.admin, plan)).toEqual(['chat.chunks']);
    expect(await createTopics(cluster.admin, plan)).toEqual([]);
    expect(cluster.creations).toBe(2);
  });
});

const MIRRORS = ['chat.responses', 'chat.response-generated', 'chat.costs', 'chat.requests.dead'];

describe('createTopics next to existing topics', () => {
  it('uses the number of partitions of the request topics', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.topics.delete('chat.costs');
    cluster.topics.delete('chat.requests.acme');
    cluster.grow('chat.requests', 9);
    await createTopics(cluster.admin, plan);
    expect(cluster.counts()).toMatchObject({ 'chat.costs': 9, 'chat.requests.acme': 9 });
    expect(cluster.counts()).toMatchObject({ 'chat.responses': 6, 'chat.cancellations': 1 });
  });

  it('uses the number of the outputs when there is no request topic', async () => {
    const cluster = await Cluster.withAllTopics();
    for (const topic of ['chat.requests', 'chat.requests.acme']) cluster.topics.delete(topic);
    for (const topic of MIRRORS) cluster.grow(topic, 4);
    await createTopics(cluster.admin, plan);
    expect(cluster.counts()).toMatchObject({ 'chat.requests': 4, 'chat.requests.acme': 4 });
  });

  it.each([
    [1, '1'],
    [2, '1'],
    [3, '2'],
    [5, '4'],
  ])('lets writes with %i replicas be acknowledged by %s', async (replication, least) => {
    const cluster = new Cluster();
    await createTopics(cluster.admin, { ...plan, replication });
    for (const { settings } of cluster.topics.values())
      expect(settings.get('min.insync.replicas')).toBe(least);
  });
});

describe('partitions', () => {
  it('are added to outputs that have fewer than any request topic', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.grow('chat.requests.acme', 8);
    cluster.grow('chat.costs', 12);
    expect((await problemsOf(cluster)).split('; ')).toHaveLength(3);
    expect(await repairPartitions(cluster.admin, plan)).toEqual(
      MIRRORS.filter((topic) => topic !== 'chat.costs').map((topic) => ({ topic, from: 6, to: 8 })),
    );
    expect(await problemsOf(cluster)).toBe('');
    expect(await repairPartitions(cluster.admin, plan)).toEqual([]);
  });

  it('grow with the outputs first, which others may have grown already', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.grow('chat.responses', 10);
    await growTopics(cluster.admin, plan, 10);
    expect(cluster.grown).toEqual([
      'chat.response-generated',
      'chat.costs',
      'chat.requests.dead',
      'chat.requests',
      'chat.requests.acme',
    ]);
    expect(cluster.counts()).toMatchObject({ 'chat.requests': 10, 'chat.responses': 10, 'chat.chunks': 6 });
    expect(await growTopics(cluster.admin, plan, 10)).toEqual([]);
  });

  it('are never removed', async () => {
    const cluster = await Cluster.withAllTopics();
    await expect(growTopics(cluster.admin, plan, 5)).rejects.toThrow(
      'chat.requests has 6 partitions, and Kafka cannot remove partitions: ask for 6 or more',
    );
    expect(cluster.grown).toEqual([]);
  });
});

describe('createTopics on several brokers', () => {
  it('waits until all brokers know every partition and its leader', async () => {
    const cluster = new Cluster();
    const unknown = Object.assign(new Error('does not host this topic-partition'), { retriable: true });
    cluster.hiccups.push(unknown, 'no leader');
    await createTopics(cluster.admin, plan);
    expect(cluster.hiccups).toEqual([]);
  });

  it('does not wait for a permanent error', async () => {
    const cluster = new Cluster();
    cluster.hiccups.push(Object.assign(new Error('not authorized'), { retriable: false }));
    await expect(createTopics(cluster.admin, plan)).rejects.toThrow('not authorized');
  });
});

describe('checkTopics', () => {
  it('accepts the topics that createTopics created', async () => {
    expect(await problemsOf(await Cluster.withAllTopics())).toBe('');
  });

  it('names every missing topic and the command that creates them', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.topics.delete('chat.requests.acme');
    cluster.topics.delete('chat.costs');
    expect(await problemsOf(cluster)).toBe(
      'these topics are missing: chat.requests.acme, chat.costs; create them with: completion-bus topics create',
    );
  });

  it('asks for a topic that may be missing only if the caller needs it', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.topics.delete('chat.cancellations');
    expect(await problemsOf(cluster)).toContain('these topics are missing: chat.cancellations;');
    expect(await problemsOf(cluster, { optionalTopic: 'chat.cancellations' })).toBe('');
  });

  it('names every problem of every topic, with the expected value', async () => {
    const cluster = await Cluster.withAllTopics();
    Object.assign(cluster.topics.get('chat.responses') ?? {}, { partitions: 5 });
    cluster.set('chat.costs', 'max.message.bytes', '900000');
    cluster.set('chat.requests', 'retention.ms', String(14 * DAY_MS));
    cluster.set('chat.requests.acme', 'retention.ms', '-1');
    const problems = (await problemsOf(cluster)).split('; ');
    expect(problems).toHaveLength(4);
    expect(problems[0]).toContain('chat.responses has 5 partitions and chat.requests has 6');
    expect(problems[1]).toContain(`chat.requests keeps requests for ${14 * DAY_MS} ms`);
    expect(problems[1]).toContain('LEDGER_TTL');
    expect(problems[2]).toContain('chat.requests.acme keeps requests for ever');
    expect(problems[3]).toContain('chat.costs takes records up to 900000 bytes');
    expect(problems[3]).toContain('RECORD_MAX_BYTES (900000)');
  });

  it('allows any retention for other topics', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.set('chat.responses', 'retention.ms', '-1');
    expect(await problemsOf(cluster)).toBe('');
  });

  it('adds a segment’s time to its records’ retention', async () => {
    const cluster = await Cluster.withAllTopics();
    cluster.set('chat.requests', 'segment.ms', String(7 * DAY_MS));
    expect(await problemsOf(cluster)).toBe('');
    cluster.set('chat.requests', 'segment.ms', String(7 * DAY_MS + 1));
    expect(await problemsOf(cluster)).toContain(
      `chat.requests keeps requests for up to ${14 * DAY_MS + 1} ms (retention.ms and segment.ms)`,
    );
  });

  it('accepts a limit one byte above the largest record', async () => {
    const cluster = await Cluster.withAllTopics();
    expect(await problemsOf(cluster, { recordMaxBytes: 1_048_587 })).toBe('');
    expect(await problemsOf(cluster, { recordMaxBytes: 1_048_588 })).toContain('chat.requests takes records');
  });
});
