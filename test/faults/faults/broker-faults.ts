import { setTimeout as wait } from 'node:timers/promises';
import { signalBroker } from '../broker-process.ts';
import type { Fault } from '../fault.ts';

/** Three brokers leave little processor time on a small machine: a lease must outlive a pause of a second or two. */
const env = { LEASE_MS: '6000' };

/** What happens to brokers; three of them, three replicas, two in sync needed. */
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
];
