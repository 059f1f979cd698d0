import { rerouted } from '../../support/rerouted.ts';
import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';

/** Faults between workers and their dependencies. */
export const dependencyFaults: readonly Fault[] = [
  {
    name: 'mongo-failover',
    what: 'the primary of three MongoDB members is killed, or none is elected for several leases; no call may be lost',
    cluster: 'one',
    hasMongoSet: true,
    disturb: async (run) => {
      const set = await run.laboratory.mongoSet();
      for (let times = 0; times < 2; times += 1) {
        await run.pause(500, 2_500);
        if (run.random.chance(0.5)) {
          const seconds = run.random.between(3, 14);
          run.note(`no primary for ${seconds} s`);
          await set.withoutPrimary(seconds);
          await set.primary();
          continue;
        }
        const primary = await set.primary();
        run.note(`the primary on port ${primary.port} is killed`);
        await primary.kill();
        try {
          await set.primary();
          await run.pause(500, 2_000);
        } finally {
          await primary.start();
        }
      }
      await run.pause(1_000, 2_000);
    },
  },
  {
    name: 'cut-off-from-mongo',
    what: 'nothing arrives between one of three workers and MongoDB, and comes through again',
    cluster: 'one',
    allows: { lostCalls: true },
    disturb: (run) => cutOff(run, run.world.config.mongo.url),
  },
  {
    name: 'cut-off-from-kafka',
    what: 'nothing arrives between one of three workers and Kafka, and comes through again',
    cluster: 'one',
    allows: { lostCalls: true },
    disturb: (run) => cutOff(run, run.cluster.brokers.join(',')),
  },
];

/** Longer than the session timeout and two leases, so that others have the partitions before the worker is back. */
const CUT_OFF_MS = [5_000, 25_000] as const;

/** A third worker loses every packet to and from these servers for a while. */
async function cutOff(run: FaultRun, addresses: string): Promise<void> {
  const way = await rerouted([...addresses.matchAll(/:(\d+)/g)].map(([, port]) => Number(port)));
  try {
    const worker = run.spawn(way.env);
    await worker.ready;
    await run.pause(1_000, 3_000);
    run.note(`worker ${worker.pid} is cut off`);
    // Its calls may be taken over, like those of a dead worker.
    run.deaths += 1;
    way.silence();
    await run.pause(...CUT_OFF_MS);
    way.speak();
    run.note(`worker ${worker.pid} is connected again`);
    await run.pause(2_000, 4_000);
    await run.stop(worker);
  } finally {
    await way.close();
  }
}
