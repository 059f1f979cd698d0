import { setTimeout as wait } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import {
  createKafka,
  type KafkaSettings,
  PATIENT_RETRIES,
} from '../../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { createTopics } from '../../../src/adapters/kafka/topics/topics.ts';
import type { Script } from '../../support/stand-in/script.ts';
import { silent, type World } from '../../support/world.ts';
import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';
import { readRequests, withAdmin } from '../read-all.ts';

/** Faults of the database, the provider, the answers and the whole cluster. */
export const otherFaults: readonly Fault[] = [
  {
    name: 'mongo-restart',
    what: 'MongoDB is killed and restarted',
    cluster: 'one',
    disturb: async (run) => {
      const mongo = await run.laboratory.mongo();
      for (let times = 0; times < 2; times += 1) {
        await run.pause(500, 2_500);
        run.note('MongoDB is killed');
        await mongo.kill();
        try {
          await run.pause(0, 4_000);
        } finally {
          await mongo.start();
          run.note('MongoDB is back');
        }
      }
      await run.pause(1_000, 2_000);
    },
  },
  {
    name: 'provider-random',
    what: 'the provider fails, stalls, cuts, limits and stands still at random',
    cluster: 'one',
    workload: { withoutScripts: true },
    allows: { providerFails: true },
    disturb: disturbProvider,
  },
  {
    name: 'oversized',
    what: 'answers are above the record limit of the service, or of a topic',
    cluster: 'one',
    allows: { refusedAnswers: true },
    env: { RECORD_MAX_BYTES: '40000' },
    workload: {
      kinds: [
        // The response is published without its content.
        { weight: 8, expected: 'COMPLETED', script: (random) => ({ tokens: random.between(8_000, 12_000) }) },
        // Around the limit that is set on the topic below.
        { weight: 8, expected: 'COMPLETED', script: (random) => ({ tokens: random.between(2_000, 6_000) }) },
        {
          weight: 6,
          expected: 'COMPLETED',
          script: (random) => ({
            toolCalls: [
              { name: 'write_file', arguments: { text: 'word '.repeat(random.between(2_000, 12_000)) } },
            ],
          }),
        },
      ],
    },
    disturb: async (run) => {
      await run.pause(1_000, 3_000);
      // Below the configured limit, so the broker refuses records that the service considers small enough.
      await limitResponses(run.world, 20_000);
      await run.pause(3_000, 5_000);
    },
  },
  {
    name: 'offsets-copied',
    what: 'requests, offsets and their metadata are copied to another cluster, where the service goes on',
    cluster: 'one',
    alsoNeeds: ['other'],
    allows: { lostCalls: true },
    workload: {
      kinds: [
        { weight: 4, expected: 'COMPLETED', script: () => ({ tokens: 100, gapMs: 90, promptTokens: 10 }) },
      ],
    },
    disturb: moveToOtherCluster,
  },
];

async function disturbProvider(run: FaultRun): Promise<void> {
  const { random, world } = run;
  const endsAt = Date.now() + 8_000;
  while (Date.now() < endsAt) {
    const scripts = Array.from({ length: 4 }, () => misbehaviour(run));
    await world.standIn.setDefault([...scripts, { tokens: 10, gapMs: 5 }]);
    if (random.chance(0.15)) {
      run.note('the provider stands still');
      process.kill(world.standIn.pid, 'SIGSTOP');
      await wait(random.between(500, 3_500));
      process.kill(world.standIn.pid, 'SIGCONT');
    }
    if (random.chance(0.2)) {
      await world.standIn.setLimits({
        requests: 20,
        tokens: 100_000,
        windowMs: 1_000,
        headers: random.chance(0.5),
      });
    } else {
      await world.standIn.setLimits(null);
    }
    await run.pause(100, 700);
  }
  await world.standIn.setLimits(null);
  await world.standIn.setDefault({ tokens: 10, gapMs: 5 });
}

function misbehaviour({ random }: FaultRun): Script {
  const pace = {
    tokens: random.between(5, 40),
    gapMs: random.between(1, 40),
    firstTokenMs: random.between(1, 200),
  };
  const after = random.between(0, 20);
  return random.pick<Script>([
    pace,
    pace,
    { status: random.pick([0, 401, 404, 408, 409, 422, 429, 500, 502, 503, 529]) },
    { status: 503, body: '<html>Bad gateway</html>' },
    { ...pace, cutAfterTokens: after },
    { ...pace, stallAfterTokens: after },
    { ...pace, endAfterTokens: after },
    { ...pace, malformedAfterTokens: after },
    { ...pace, errorAfterTokens: after, error: { type: 'server_error', code: null, message: 'overloaded' } },
    { ...pace, usage: 'missing' },
    { ...pace, splitBytes: random.between(1, 50) },
  ]);
}

async function limitResponses(world: World, bytes: number): Promise<void> {
  await withAdmin(world.config.kafka, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: world.topics.responses,
          configEntries: [{ name: 'max.message.bytes', value: String(bytes) }],
        },
      ],
    }),
  );
}

/**
 * When the cluster is lost, some requests are answered behind a slow one at the head of their partition. The other
 * cluster gets the same records at the same offsets, and the group's offsets with a map that is invalid there.
 */
async function moveToOtherCluster(run: FaultRun): Promise<void> {
  const { world } = run;
  const { kafka } = world.config;
  const topic = world.topics.requests;
  await run.pause(2_000, 5_000);
  await run.load.pause();

  // An outcome that the ledger does not mark as visible is published again there. Marks are best effort, so wait for them.
  await run.progress.untilQuiet(1_500, 15_000);
  await untilMarked(run);
  for (const worker of run.workers) await run.kill(worker);

  const other = await run.laboratory.cluster('other');
  const settings = { ...kafka, brokers: other.brokers };
  const records = await readRequests(kafka, topic);
  const offsets = await withAdmin(kafka, (admin) =>
    admin.fetchOffsets({ groupId: kafka.groupId, topics: [topic] }),
  );
  await withAdmin(settings, (admin) => createTopics(admin, world.config.topics));
  const producer = createKafka(settings, silent, PATIENT_RETRIES).producer({ retry: PATIENT_RETRIES });
  await producer.connect();
  for (const { partition, key, value, headers, timestamp } of records) {
    const message = {
      partition,
      key: Buffer.from(key ?? []),
      value: value === null ? null : Buffer.from(value),
      headers: headers as Record<string, Buffer>,
      timestamp: String(timestamp),
    };
    await producer.send({ topic, messages: [message] });
  }
  const partitions = (offsets[0]?.partitions ?? []).filter(({ offset }) => Number(offset) >= 0);
  await copyOffsets(settings, topic, partitions);
  await producer.disconnect();
  run.note(
    `moved ${records.length} records, ${partitions.map((one) => `${one.partition}:${one.offset}`).join(' ')}`,
  );

  // The operator's task: bind this database to the other cluster.
  await world.forgetOwner();
  run.places.push(settings);
  run.startWith({ KAFKA_BROKERS: other.brokers.join(',') });
  run.progress.move(settings);
  await run.load.move(settings);
  run.load.resume();
  run.spawn();
  run.spawn();
  await Promise.all(run.workers.map((worker) => worker.ready));
  await run.pause(1_000, 2_000);
}

/** Uses a transaction, because only that lets kafkajs write metadata. The group's coordinator may not exist yet. */
async function copyOffsets(
  settings: KafkaSettings,
  topic: string,
  partitions: { partition: number; offset: string; metadata: string | null }[],
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const copier = createKafka(settings, silent, PATIENT_RETRIES).producer({
      transactionalId: `copy-${settings.groupId}-${tries}`,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    try {
      await copier.connect();
      const transaction = await copier.transaction();
      await transaction.sendOffsets({ consumerGroupId: settings.groupId, topics: [{ topic, partitions }] });
      await transaction.commit();
      return;
    } catch (error) {
      if (tries === 20) throw error;
      await wait(200);
    } finally {
      await copier.disconnect();
    }
  }
}

/** Waits until the ledger marks every visible outcome as visible. Slow requests have no outcome yet. */
async function untilMarked(run: FaultRun): Promise<void> {
  const rows = run.world.ledgerRows();
  const unmarked = () => rows.countDocuments({ outcome: { $ne: null }, settled: false });
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await unmarked()) === 0) return;
    await wait(50);
  }
  run.note(`${await unmarked()} outcomes are not marked as settled`);
}
