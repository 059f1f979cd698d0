import { setTimeout as wait } from 'node:timers/promises';
import { COORDINATOR_TYPES, connectCluster } from '../../../src/adapters/kafka/kafkajs/cluster-requests.ts';
import { silent } from '../../support/world.ts';
import { signalBroker } from '../broker-process.ts';
import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';
import { withAdmin } from '../read-all.ts';

/** Three brokers leave little CPU time on a small machine, so a lease must outlive a pause of a second or two. */
const env = { LEASE_MS: '6000' };

/** Faults of brokers, in a cluster of three with three replicas and two in sync required. */
export const brokerFaults: readonly Fault[] = [
  {
    name: 'broker-kill',
    what: 'one of three brokers is killed, and comes back',
    cluster: 'three',
    env,
    disturb: async (run) => {
      await run.pause(500, 3_000);
      const node = run.random.pick(run.cluster.nodes);
      run.note(`broker ${node.id} is killed`);
      await node.kill();
      try {
        await run.pause(1_000, 14_000);
      } finally {
        run.note(`broker ${node.id} starts`);
        await node.start();
        await run.cluster.whenInSync();
      }
      await run.pause(500, 2_000);
    },
  },
  {
    name: 'brokers-rolling',
    what: 'three brokers are restarted in turn by SIGTERM',
    cluster: 'three',
    env,
    rate: 25,
    disturb: async (run) => {
      for (const node of run.cluster.nodes) {
        await run.pause(200, 1_500);
        run.note(`broker ${node.id} is restarted`);
        await node.stop();
        await node.start();
        await run.cluster.whenInSync();
      }
    },
  },
  {
    name: 'commit-hangs',
    what: 'brokers stand still for seconds in the middle of commits, one or all of them',
    cluster: 'three',
    env,
    disturb: async (run) => {
      for (let times = 0; times < 2; times += 1) {
        await run.pause(500, 2_500);
        const frozen = run.random.chance(0.4) ? run.cluster.nodes : [run.random.pick(run.cluster.nodes)];
        run.note(`brokers ${frozen.map(({ id }) => id).join(', ')} are frozen`);
        for (const { id } of frozen) await signalBroker(run.cluster.directory, id, 'SIGSTOP');
        try {
          // Below and above KAFKA_REQUEST_TIMEOUT and KAFKA_TRANSACTION_TIMEOUT.
          await wait(run.random.between(1_000, 8_000));
        } finally {
          for (const { id } of frozen) await signalBroker(run.cluster.directory, id, 'SIGCONT');
          run.note('the brokers wake');
        }
      }
      await run.cluster.whenInSync();
    },
  },
  {
    name: 'coordinator-kill',
    what: 'the broker that coordinates the group is killed, and comes back',
    cluster: 'three',
    env,
    disturb: async (run) => {
      await run.pause(500, 3_000);
      const id = await groupCoordinator(run);
      const node = run.cluster.nodes.find((candidate) => candidate.id === id);
      const lanes = openings(run);
      run.note(`broker ${id}, which coordinates the group, is killed`);
      await node?.kill();
      try {
        await untilOtherCoordinator(run, id);
        const answered = run.progress.answered;
        if (!(await run.progress.until(() => run.progress.answered > answered, OUTCOME_PATIENCE_MS)))
          run.breach(
            `no outcome within ${OUTCOME_PATIENCE_MS / 1000} s of the group having a coordinator again`,
          );
        // Longer than a client looks for the dead broker before it leaves the group.
        await run.pause(20_000, 25_000);
        if (openings(run) > lanes) run.breach('partitions were reassigned although no member was lost');
      } finally {
        run.note(`broker ${id} starts`);
        await node?.start();
        await run.cluster.whenInSync();
      }
      await run.pause(500, 2_000);
    },
  },
  {
    name: 'leaderless-foreign-partition',
    what: 'a topic of others loses its only replica while lanes are open; a worker is killed, one starts',
    cluster: 'three',
    env,
    allows: { lostCalls: true },
    disturb: async (run) => {
      const node = run.random.pick(run.cluster.nodes);
      const topic = `foreign-${run.world.config.kafka.groupId}`;
      const replicaAssignment = [{ partition: 0, replicas: [node.id] }];
      await withAdmin(run.world.config.kafka, (admin) =>
        admin.createTopics({ topics: [{ topic, replicaAssignment }], waitForLeaders: true }),
      );
      run.note(`broker ${node.id}, which alone has ${topic}, is killed`);
      await node.kill();
      try {
        await untilLeaderless(run, topic);
        const before = run.progress.answered;
        run.spawn();
        await run.kill(run.random.pick(run.workers));
        if (!(await run.progress.until(() => run.progress.answered > before + FLOWING, FLOW_PATIENCE_MS)))
          run.breach(
            `fewer than ${FLOWING} outcomes within ${FLOW_PATIENCE_MS / 1000} s beside a foreign topic without a leader`,
          );
        await run.pause(500, 3_000);
      } finally {
        run.note(`broker ${node.id} starts`);
        await node.start();
        await run.cluster.whenInSync();
        await withAdmin(run.world.config.kafka, (admin) => admin.deleteTopics({ topics: [topic] }));
      }
    },
  },
];

/** From the group having a coordinator again, which takes about 9 seconds, to the next outcome. */
const OUTCOME_PATIENCE_MS = 10_000;
/** This many outcomes show that requests flow. */
const FLOWING = 20;
const FLOW_PATIENCE_MS = 40_000;
const POLL_MS = 50;
const CLUSTER_PATIENCE_MS = 60_000;

async function groupCoordinator({ world }: FaultRun): Promise<number> {
  const { kafka } = world.config;
  const cluster = await connectCluster(kafka, silent);
  try {
    const of = { groupId: kafka.groupId, coordinatorType: COORDINATOR_TYPES.group };
    return Number((await cluster.findGroupCoordinator(of)).nodeId);
  } finally {
    await cluster.disconnect();
  }
}

/** How often workers were assigned partitions. */
function openings({ workers }: FaultRun): number {
  return workers.flatMap(({ log }) => log).filter((line) => line.includes('partitions assigned')).length;
}

async function untilOtherCoordinator(run: FaultRun, dead: number): Promise<void> {
  await untilTrue(`a coordinator of the group beside broker ${dead}`, async () => {
    const id = await groupCoordinator(run).catch(() => dead);
    return id !== dead;
  });
  run.note('the group has another coordinator');
}

async function untilLeaderless(run: FaultRun, topic: string): Promise<void> {
  await untilTrue(`${topic} to have no leader`, () =>
    withAdmin(run.world.config.kafka, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics.every(({ partitions }) => partitions.every(({ leader }) => leader < 0));
    }).catch(() => false),
  );
  run.note(`${topic} has no leader`);
}

async function untilTrue(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + CLUSTER_PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > giveUpAt)
      throw new Error(`timed out after ${CLUSTER_PATIENCE_MS / 1000} s waiting for ${what}`);
    await wait(POLL_MS);
  }
}
