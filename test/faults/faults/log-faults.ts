import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';
import { readPositions, withAdmin } from '../read-all.ts';

const PARTITIONS = [0, 1, 2, 3, 4, 5];

/** What happens to the log of requests. */
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
        // A worker that starts after it finds a map that speaks of what is not there any more.
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
    what: 'the request topic is deleted and created again: lanes stop and say so, and go on when offsets are reset',
    cluster: 'one',
    allows: { lostCalls: true, lostRecords: true },
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
        // Outputs first, so that no request comes before there is a place for its answer.
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

/** Deletes up to somewhere between the watermark and the end, on some partitions. */
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
    // kafkajs finds the leaders only of topics that it has been asked about before.
    await admin.fetchTopicOffsets(topics.requests);
    await admin.deleteTopicRecords({ topic: topics.requests, partitions });
  });
  run.note(`deleted below ${partitions.map(({ partition, offset }) => `${partition}:${offset}`).join(' ')}`);
}

async function recreateTopic(run: FaultRun): Promise<void> {
  const { config, topics } = run.world;
  await run.pause(1_500, 4_000);
  run.load.pause();
  const before = await readPositions(config.kafka, topics.requests);
  const settled = before.filter(({ committed }) => (committed ?? 0) > 0);
  await withAdmin(config.kafka, async (admin) => {
    await admin.deleteTopics({ topics: [topics.requests] });
    run.note('the topic is deleted');
    // Long enough for every consumer to fetch once: what is recreated and longer than before within one fetch cannot be told apart.
    await run.pause(2_500, 4_500);
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
  run.note(`the topic is there again; ${settled.length} partitions had been settled`);

  // 1 New records come, few or many at once. A lane that had settled something must stop, or, where it had to open again and
  // found its offset gone with the topic, begin at the start: then all records are answered, which the end will show.
  if (run.random.chance(0.5)) await run.load.burst(run.random.between(60, 300));
  run.load.resume();
  const halted = () => new Set(run.workers.flatMap(({ log }) => log.flatMap(haltedPartition)));
  // A leader is not known everywhere at once.
  const begun = async () =>
    new Set(
      (await untilItWorks(() => readPositions(config.kafka, topics.requests)))
        .filter(({ committed }) => committed !== null)
        .map(({ partition }) => partition),
    );
  const silent = async () => {
    const anew = await begun();
    return settled.filter(({ partition }) => !halted().has(partition) && !anew.has(partition));
  };
  const giveUpAt = Date.now() + 30_000;
  while ((await silent()).length > 0 && Date.now() < giveUpAt) await run.pause(200, 300);
  const numbers = (await silent()).map(({ partition }) => partition).join(', ');
  if (numbers !== '') run.breach(`lanes of partitions ${numbers} neither stopped nor began anew`);
  const stopped = [...halted()];
  const ready = await Promise.all(run.workers.map(({ httpPort }) => readiness(httpPort)));
  run.note(`partitions ${stopped.join(', ')} stopped; readyz: ${ready.join(' | ')}`);
  if (stopped.length > 0 && !ready.some((text) => text.startsWith('503') && /[1-9]\d* halted/.test(text)))
    run.breach('no worker says by /readyz that it stopped');

  // 2 The way out that the message names: reset the offsets, for which the group must be empty. A lane that did not fetch again before
  // the workers were stopped finds out when the next ones open it.
  run.load.pause();
  for (let stoppedNow = stopped, round = 1; round === 1 || stoppedNow.length > 0; round += 1) {
    for (const worker of run.workers) await run.stop(worker);
    if (stoppedNow.length > 0) await resetOffsets(run, stoppedNow);
    run.load.resume();
    for (const worker of [run.spawn(), run.spawn()])
      await Promise.race([worker.ready, worker.logged(HALTED)]);
    await run.pause(2_000, 3_000);
    stoppedNow = [...halted()];
  }
}

async function resetOffsets(run: FaultRun, numbers: readonly number[]): Promise<void> {
  const { config, topics } = run.world;
  const partitions = numbers.map((partition) => ({ partition, offset: '0' }));
  await untilItWorks(() =>
    withAdmin(config.kafka, (admin) =>
      admin.setOffsets({ groupId: config.kafka.groupId, topic: topics.requests, partitions }),
    ),
  );
  run.note(`the offsets of partitions ${numbers.join(', ')} are reset`);
}

/** What a worker logs of a lane that stops for good, and is not ready after. */
const HALTED = 'is not handled any more';

function haltedPartition(line: string): number[] {
  if (!line.includes(HALTED)) return [];
  return [(JSON.parse(line) as { partition: number }).partition];
}

/** Status and body of /readyz. */
async function readiness(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return `${response.status} ${(await response.text()).trim()}`;
}

/** A topic that is being deleted cannot be created for a moment, and one that was just created is not known everywhere. */
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
