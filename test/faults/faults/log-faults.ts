import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';
import { readPositions, withAdmin } from '../read-all.ts';

const PARTITIONS = [0, 1, 2, 3, 4, 5];

/** Faults of the request log. */
export const logFaults: readonly Fault[] = [
  {
    name: 'records-deleted',
    what: 'records are deleted under slow requests at the head of their partitions',
    cluster: 'one',
    allows: { lostCalls: true },
    workload: {
      kinds: [
        {
          weight: 6,
          expected: 'COMPLETED',
          script: () => ({ tokens: 60, gapMs: 90, promptTokens: 10 }),
        },
      ],
    },
    disturb: async (run) => {
      for (let times = 0; times < 3; times += 1) {
        await run.pause(1_000, 3_000);
        await deleteRecords(run);
        // A worker that starts afterwards finds a map of offsets that no longer exist.
        if (!run.random.chance(0.5)) continue;
        await run.pause(0, 1_000);
        await run.kill(run.random.pick(run.workers));
        run.spawn();
      }
      await run.pause(500, 1_500);
    },
  },
  {
    name: 'topic-recreated',
    what: 'the request topic is deleted and created again, twice: the new one is read from its start',
    cluster: 'one',
    allows: { lostCalls: true, lostRecords: true },
    // A worker that starts while the topic is missing reports it and exits.
    workersMayEnd: true,
    disturb: recreateTopic,
  },
  {
    name: 'partitions-added',
    what: 'the mirrored topics get more partitions',
    cluster: 'one',
    disturb: async (run) => {
      await run.pause(500, 2_000);
      const { requests, responses, responseGenerated, costs, dead } = run.world.topics;
      const count = PARTITIONS.length + run.random.between(1, 3);
      await withAdmin(run.world.config.kafka, async (admin) => {
        // Outputs first, so that no request arrives before its output topic exists.
        for (const topic of [responses, responseGenerated, costs, dead, requests]) {
          await admin.createPartitions({ topicPartitions: [{ topic, count }] });
        }
      });
      run.note(`${count} partitions`);
      run.progress.startAgain();
      await run.pause(3_000, 6_000);
    },
  },
];

/** Deletes records up to a random offset between the watermark and the end, on some partitions. */
async function deleteRecords(run: FaultRun): Promise<void> {
  const { config, topics } = run.world;
  const positions = await readPositions(config.kafka, topics.requests);
  const chosen = positions.filter(({ logEnd, logStart }) => logEnd > logStart && run.random.chance(0.6));
  const partitions = chosen.map(({ partition, committed, logStart, logEnd }) => {
    const watermark = Math.max(committed ?? logStart, logStart);
    const offset = run.random.chance(0.3) ? logEnd : run.random.between(watermark, logEnd);
    return { partition, offset: String(offset) };
  });
  if (partitions.length === 0) return;
  await withAdmin(config.kafka, async (admin) => {
    // kafkajs finds leaders only of topics that it has been asked about before.
    await admin.fetchTopicOffsets(topics.requests);
    await admin.deleteTopicRecords({ topic: topics.requests, partitions });
  });
  run.note(`deleted below ${partitions.map(({ partition, offset }) => `${partition}:${offset}`).join(' ')}`);
}

async function recreateTopic(run: FaultRun): Promise<void> {
  const { config, topics } = run.world;
  for (let times = 0; times < 2; times += 1) {
    await run.pause(1_500, 4_000);
    await run.load.pause();
    await withAdmin(config.kafka, async (admin) => {
      await admin.deleteTopics({ topics: [topics.requests] });
      run.note('the topic is deleted');
      // Sometimes the topic is back before any worker noticed that it was missing.
      await run.pause(0, run.random.chance(0.5) ? 100 : 4_000);
      await untilItWorks(() =>
        admin.createTopics({
          topics: [
            {
              topic: topics.requests,
              numPartitions: PARTITIONS.length,
              replicationFactor: 1,
              configEntries: [{ name: 'retention.ms', value: String(7 * 86_400_000) }],
            },
          ],
          waitForLeaders: true,
        }),
      );
    });
    run.note('the topic is there again');
    // Fewer records than before, or more at once.
    if (run.random.chance(0.5)) await run.load.burst(run.random.between(60, 300));
    run.load.resume();
    if (run.random.chance(0.3)) {
      await run.kill(run.random.pick(run.workers));
      run.spawn();
    }
  }
  await run.pause(2_000, 4_000);
  for (const { log, pid } of run.workers)
    for (const line of log)
      if (line.includes(HALTED)) run.breach(`worker ${pid} stopped a partition: ${line}`);
}

/** The log message of a lane that stops for good. */
const HALTED = 'partition halted';

/** For a moment, a topic being deleted cannot be created, and a new topic is not known to every broker. */
async function untilItWorks<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
