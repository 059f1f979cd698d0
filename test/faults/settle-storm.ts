/**
 * `npm run test:storm [-- --brokers 1|3] [--kills N] [--seed S]`: six lanes settle without a pause while brokers are killed,
 * so that a commit is in flight at nearly every kill. Every settlement must be visible exactly once. The last line is
 * `N passed, N failed`, counted in kills. See docs/faults.md.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { waitUntil } from '../../scripts/stack/answers.ts';
import { type KafkaCluster, startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import { readTopics } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import { KafkaLaneTransport } from '../../src/adapters/kafka/transactions/lane-transport.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { InboundRecord, LaneProducer } from '../../src/ports/kafka.ts';
import { silent } from '../support/world.ts';
import { Random } from './random.ts';
import { withAdmin } from './read-all.ts';

const LANES = 6;
const GROUP = 'storm';
const REQUESTS = 'storm.requests';
const OUTPUTS = ['storm.responses', 'storm.costs'];
const PROGRESS_TIMEOUT_MS = 120_000;
const AGAIN_MS = 100;
/** The broker's log message for each partition without a leader whose marker it skips. */
const LEFT_OUT = /Couldn't find leader endpoint for partitions/g;

const { values } = parseArgs({
  options: {
    brokers: { type: 'string', default: '1' },
    kills: { type: 'string', default: '20' },
    seed: { type: 'string' },
  },
});
const brokers = values.brokers === '3' ? 3 : 1;
const kills = Number(values.kills);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000_000));
if (values.brokers !== '1' && values.brokers !== '3')
  throw new Error(`--brokers: ${values.brokers} is neither 1 nor 3`);
if (!Number.isInteger(kills) || kills < 1)
  throw new Error(`--kills: ${values.kills} is not a number of kills`);
if (!Number.isInteger(seed)) throw new Error(`--seed: ${values.seed} is not a whole number`);

/** Progress of one lane. */
class StormLane {
  /** Settlements that the broker acknowledged. */
  settled = 0;
  inDoubt = 0;
  private stopped = false;
  private readonly transport: KafkaLaneTransport;
  private readonly partition: number;

  constructor(transport: KafkaLaneTransport, partition: number) {
    this.transport = transport;
    this.partition = partition;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Opens, settles consecutive numbers, and reopens after every error. */
  async run(): Promise<void> {
    const lane = { topic: REQUESTS, partition: this.partition };
    let producer: LaneProducer | null = null;
    while (!this.stopped) {
      let settling = false;
      try {
        producer = await this.transport.fence(lane);
        const { offset } = await this.transport.committedPosition(lane);
        for (let next = (offset ?? 0) + 1; !this.stopped; next += 1) {
          settling = true;
          await producer.settle({ offset: next, metadata: '', topicId: null, records: this.records(next) });
          this.settled += 1;
        }
      } catch {
        if (settling) this.inDoubt += 1;
        await wait(AGAIN_MS);
      } finally {
        await producer?.close();
        producer = null;
      }
    }
  }

  private records(next: number) {
    return OUTPUTS.map((topic) => ({
      topic,
      partition: this.partition,
      key: String(next),
      value: null,
      headers: {},
    }));
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
const directory = await mkdtemp(join(tmpdir(), 'completion-bus-storm-'));
const cluster = await startKafkaCluster({ brokers, directory });
try {
  process.exitCode = (await storm(cluster)) ? 0 : 1;
} finally {
  await cluster.close();
  await rm(directory, { recursive: true, force: true });
}

/** @returns whether every settlement was visible exactly once */
async function storm({ brokers: addresses, nodes, whenInSync }: KafkaCluster): Promise<boolean> {
  const { kafka } = loadConfig(
    {
      KAFKA_BROKERS: addresses.join(','),
      KAFKA_GROUP_ID: GROUP,
      KAFKA_TRANSACTION_TIMEOUT: '6s',
      KAFKA_REQUEST_TIMEOUT: '4s',
    },
    { readFile: () => '' },
  );
  await withAdmin(kafka, (admin) =>
    admin.createTopics({
      waitForLeaders: true,
      topics: [REQUESTS, ...OUTPUTS].map((topic) => ({
        topic,
        numPartitions: LANES,
        replicationFactor: brokers,
      })),
    }),
  );
  await whenInSync();
  const transport = await KafkaLaneTransport.connect(kafka, OUTPUTS, silent);
  const lanes = Array.from({ length: LANES }, (_, partition) => new StormLane(transport, partition));
  const running = lanes.map((lane) => lane.run());
  const allGoOn = () => {
    const before = lanes.map(({ settled }) => settled);
    return waitUntil(async () => lanes.every(({ settled }, index) => settled > (before[index] ?? 0)), {
      what: 'every lane to settle again',
      timeoutMs: PROGRESS_TIMEOUT_MS,
    });
  };
  const random = new Random(seed);
  await allGoOn();
  for (let kill = 1; kill <= kills; kill += 1) {
    const node = random.pick(nodes);
    await node.kill();
    await node.start();
    await allGoOn();
    await whenInSync();
    const doubts = lanes.reduce((sum, { inDoubt }) => sum + inDoubt, 0);
    say(`kill ${kill}/${kills} of broker ${node.id}: ${doubts} transactions in doubt so far`);
  }
  for (const lane of lanes) lane.stop();
  await Promise.all(running);
  const wrong = await judge(transport, kafka);
  await transport.close();
  const leftOut = await Promise.all(
    nodes.map(async ({ id }) =>
      (await readFile(join(directory, `broker-${id}`, 'kafka.log'), 'utf8')).match(LEFT_OUT),
    ),
  );
  const settled = lanes.reduce((sum, lane) => sum + lane.settled, 0);
  say(
    `seed ${seed}, ${brokers} broker(s): ${settled} settled, ${leftOut.flat().filter((line) => line !== null).length} times markers were left out`,
  );
  for (const line of wrong) say(`    ${line}`);
  say(wrong.length === 0 ? `${kills} passed, 0 failed` : `0 passed, ${kills} failed`);
  return wrong.length === 0;
}

/** Reads everything visible. Each partition must have the numbers from 1 to the committed one, each once and in order. */
async function judge(
  transport: KafkaLaneTransport,
  kafka: Parameters<typeof readTopics>[0]['settings'],
): Promise<string[]> {
  const seen = new Map<string, number[]>();
  const marked = Promise.withResolvers<void>();
  let marks = 0;
  const reader = await readTopics({
    settings: kafka,
    logger: silent,
    topics: OUTPUTS,
    from: 'start',
    onRecord: ({ topic, partition, key }: InboundRecord) => {
      const place = `${topic} ${partition}`;
      const numbers = seen.get(place) ?? [];
      seen.set(place, numbers);
      if (String(key) !== 'end') numbers.push(Number(key));
      else if (++marks === OUTPUTS.length * LANES) marked.resolve();
    },
    onCrash: marked.reject,
  });
  const wrong: string[] = [];
  const positions: number[] = [];
  for (let partition = 0; partition < LANES; partition += 1) {
    const lane = { topic: REQUESTS, partition };
    const producer = await transport.fence(lane);
    const { offset } = await transport.committedPosition(lane);
    positions.push(offset ?? 0);
    const records = OUTPUTS.map((topic) => ({ topic, partition, key: 'end', value: null, headers: {} }));
    await producer.settle({ offset: (offset ?? 0) + 1, metadata: '', topicId: null, records });
    await producer.close();
  }
  await marked.promise;
  await reader.close();
  for (const [place, numbers] of [...seen].sort()) {
    const last = positions[Number(place.split(' ')[1])] ?? 0;
    const times = new Map<number, number>();
    for (const number of numbers) times.set(number, (times.get(number) ?? 0) + 1);
    for (let number = 1; number <= last; number += 1) {
      const count = times.get(number) ?? 0;
      if (count !== 1) wrong.push(`${place}: ${number} is visible ${count} times`);
    }
    if (numbers.length !== last)
      wrong.push(`${place}: ${numbers.length} are visible and ${last} are committed`);
  }
  return wrong;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
