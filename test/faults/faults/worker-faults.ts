import { setTimeout as wait } from 'node:timers/promises';
import { clockAhead } from '../../support/clock-ahead.ts';
import { killerScript, mortalEnv } from '../../support/killer.ts';
import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';
import { openTransactions } from '../open-transactions.ts';
import type { WorkloadRecord } from '../workload.ts';

/** Longer than the workers' KAFKA_SESSION_TIMEOUT, so that the group has dropped the frozen one. */
const PAST_SESSION_TIMEOUT_MS = [7_000, 10_000] as const;

/** Four deaths. After each come the session timeout, a lease, and the suspects before the killer. */
const UNTIL_POISON_MS = 240_000;

/** Faults of workers. */
export const workerFaults: readonly Fault[] = [
  {
    name: 'sigkill',
    what: 'workers are killed at random moments and replaced',
    cluster: 'one',
    allows: { lostCalls: true },
    disturb: async (run) => {
      for (let kills = 0; kills < 3; kills += 1) {
        await run.pause(300, 2_500);
        await run.kill(run.random.pick(run.workers));
        run.spawn();
      }
      await run.pause(500, 1_500);
    },
  },
  {
    name: 'sigstop',
    what: 'a worker is frozen past the session timeout, and wakes',
    cluster: 'one',
    allows: { lostCalls: true },
    disturb: async (run) => {
      await run.pause(500, 3_000);
      const frozen = run.random.pick(run.workers);
      run.freeze(frozen);
      if (run.random.chance(0.5)) run.spawn();
      await run.pause(...PAST_SESSION_TIMEOUT_MS);
      run.thaw(frozen);
      await run.pause(1_000, 3_000);
    },
  },
  {
    name: 'sigstop-in-settle',
    what: 'a worker is frozen with a transaction open, loses its partitions, wakes and tries to open its lanes',
    cluster: 'one',
    rate: 80,
    allows: { lostCalls: true },
    disturb: async (run) => {
      await run.pause(500, 2_000);
      const frozen = run.random.pick(run.workers);
      await freezeWhileSettling(run, frozen);
      await run.pause(...PAST_SESSION_TIMEOUT_MS);
      run.thaw(frozen);
      // Again while it opens its lanes, or has just lost them.
      await run.pause(0, 400);
      run.freeze(frozen);
      await run.pause(100, 2_500);
      run.thaw(frozen);
      await run.pause(1_000, 3_000);
    },
  },
  {
    name: 'rolling-deploy',
    what: 'three workers are restarted in turn',
    cluster: 'one',
    workers: 3,
    disturb: async (run) => {
      for (const worker of run.workers) {
        await run.pause(200, 1_500);
        const newFirst = run.random.chance(0.5);
        const started = newFirst ? run.spawn() : null;
        await started?.ready;
        await run.stop(worker);
        await (started ?? run.spawn()).ready;
      }
    },
  },
  {
    name: 'killer-among-neighbours',
    what: 'a request kills each of three workers that calls the provider for it, among twelve harmless ones',
    cluster: 'one',
    workers: 3,
    rate: 10,
    env: mortalEnv(),
    workersMayEnd: true,
    startMayFail: true,
    allows: { lostCalls: true },
    timeoutMs: UNTIL_POISON_MS + 10_000,
    disturb: async (run) => {
      await run.pause(500, 2_000);
      await run.load.send(killerAndNeighbours(run));
      run.note('the killer is published');
      const isAnswered = await run.progress.until(() => run.progress.has('killer'), UNTIL_POISON_MS);
      if (!isAnswered) run.breach(`the killer is not answered after ${UNTIL_POISON_MS / 1_000} s`);
      if (run.deaths < 5) run.breach(`only ${run.deaths} workers died, so this repetition tested nothing`);
    },
  },
  {
    name: 'clock-ahead',
    what: 'workers start whose clocks are 70 minutes, then two days ahead of the brokers’',
    cluster: 'one',
    disturb: async (run) => {
      for (const aheadMs of [70 * 60_000, 2 * 86_400_000]) {
        await run.pause(500, 2_000);
        run.startWith(clockAhead(aheadMs));
        run.note(`workers start ${aheadMs} ms ahead`);
        await run.stop(run.random.pick(run.workers));
        run.spawn();
      }
      await run.pause(4_000, 6_000);
    },
  },
];

/** Alternately freezes and wakes the worker until it is frozen with an open transaction whose records are written. */
async function freezeWhileSettling(run: FaultRun, worker: FaultRun['workers'][number]): Promise<void> {
  const { world, cluster } = run;
  for (let tries = 0; tries < 300; tries += 1) {
    worker.signal('SIGSTOP');
    // Long enough for other workers' transactions to end, and for the broker to receive what was sent.
    await wait(60);
    const open = await openTransactions(cluster.brokers[0] ?? '', world.topics.responses, [0, 1, 2, 3, 4, 5]);
    if (open.length > 0) {
      run.freeze(worker);
      run.note(`its transactions on partitions ${open.join(', ')} are open, after ${tries + 1} tries`);
      return;
    }
    worker.signal('SIGCONT');
    await run.pause(5, 60);
  }
  run.breach('the worker could not be frozen with an open transaction, so this repetition tested nothing');
}

function killerAndNeighbours({ random }: FaultRun): WorkloadRecord[] {
  const record = (
    requestId: string,
    expected: WorkloadRecord['expected'],
    script: ReturnType<typeof killerScript>,
  ): WorkloadRecord => ({
    key: requestId,
    headers: {},
    expected,
    request: { requestId, messages: [{ role: 'user', content: JSON.stringify({ standIn: script }) }] },
  });
  const neighbours = Array.from({ length: 12 }, (_, index) =>
    record(`neighbour-${index + 1}`, 'COMPLETED', {
      tokens: 20,
      gapMs: random.between(40, 120),
      promptTokens: 10,
    }),
  );
  const killer = record('killer', 'FAILED', killerScript(random.between(100, 1_500)));
  return neighbours.toSpliced(random.between(0, neighbours.length), 0, killer);
}
