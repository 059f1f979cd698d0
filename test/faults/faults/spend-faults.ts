import { setTimeout as wait } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { createSpendReader } from '../../../src/adapters/mongo/spend/spend-reader.ts';
import type { Fault } from '../fault.ts';
import type { FaultRun } from '../fault-run.ts';
import { readOutputs } from '../read-all.ts';

/** A running transaction is never idle for this long. */
const FROZEN_MS = 150;
const TRIES = 300;
/** MongoDB keeps a killed worker's transaction open for 60 s. */
const GO_ON_WITHIN_MS = 5_000;
/** The same for the killed worker's partitions, which others get after KAFKA_SESSION_TIMEOUT and a rebalance. */
const TAKEN_OVER_WITHIN_MS = 20_000;
const COUNTED_WITHIN_MS = 30_000;
const LOOK_MS = 50;

/** Faults of the workers that sum the cost topic. */
export const spendFaults: readonly Fault[] = [
  {
    name: 'spend-killed',
    what: 'a worker is killed within a transaction of spend; counting goes on within 5 s',
    cluster: 'one',
    workers: 3,
    env: { ROLES: 'worker,ledger' },
    allows: { lostCalls: true },
    disturb: async (run) => {
      for (let kills = 0; kills < 2; kills += 1) {
        await run.pause(1_000, 3_000);
        const [victim] = run.workers;
        if (victim === undefined || !(await freezeWhileFolding(run, victim))) return;
        const before = await positionsOf(run);
        await run.kill(victim);
        await untilCounting(run, before);
        await run.spawn().ready;
      }
    },
    whenAnswered: untilAllIsCounted,
  },
];

/** Alternately freezes and wakes the worker until it is frozen with an open transaction. */
async function freezeWhileFolding(run: FaultRun, worker: FaultRun['workers'][number]): Promise<boolean> {
  const { url } = await run.laboratory.mongo();
  const client = await MongoClient.connect(url);
  try {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      worker.signal('SIGSTOP');
      await wait(2 * FROZEN_MS);
      const open = await client
        .db('admin')
        .aggregate([
          { $currentOp: { allUsers: true, idleSessions: true, idleConnections: false } },
          {
            $match: {
              type: 'idleSession',
              'transaction.timeInactiveMicros': { $gt: FROZEN_MS * 1_000 },
            },
          },
        ])
        .toArray();
      if (open.length > 0) {
        run.note(`worker ${worker.pid} stands still within a transaction, after ${tries} tries`);
        return true;
      }
      worker.signal('SIGCONT');
      await run.pause(5, 60);
    }
  } finally {
    await client.close();
  }
  run.breach('the worker could not be frozen inside a transaction, so this repetition tested nothing');
  return false;
}

async function callsCounted({ world }: FaultRun): Promise<number> {
  const rows = await createSpendReader(world.database).rows({
    by: ['day'],
    from: '2000-01-01',
    to: '9999-12-31',
  });
  return rows.reduce((sum, { calls }) => sum + calls, 0);
}

/** How far each partition of the cost topic is counted. */
async function positionsOf({ world }: FaultRun): Promise<Map<number, number>> {
  const rows = await world.database
    .collection<{ partition: number; next: number | null }>('spendPositions')
    .find()
    .toArray();
  return new Map(rows.map(({ partition, next }) => [partition, next ?? 0]));
}

/** Some partitions are counted further at once, and all of them once the killed worker's partitions have a new owner. */
async function untilCounting(run: FaultRun, before: ReadonlyMap<number, number>): Promise<void> {
  const killedAt = performance.now();
  for (let some = false; ; ) {
    const now = await positionsOf(run);
    const still = [...before].filter(([partition, next]) => (now.get(partition) ?? 0) <= next);
    const tookMs = Math.round(performance.now() - killedAt);
    if (!some && still.length < before.size) {
      some = true;
      run.note(`counting went on after ${tookMs} ms`);
    }
    if (still.length === 0) {
      run.note(`each partition was counted further after ${tookMs} ms`);
      return;
    }
    if (tookMs > (some ? TAKEN_OVER_WITHIN_MS : GO_ON_WITHIN_MS)) {
      const names = still.map(([partition]) => partition).join(', ');
      run.breach(
        `partitions ${names} of the cost topic were not counted further ${tookMs} ms after the kill`,
      );
      return;
    }
    await wait(LOOK_MS);
  }
}

/** Every billed call is in the sums exactly once. */
async function untilAllIsCounted(run: FaultRun): Promise<void> {
  const { world } = run;
  const { costs } = await readOutputs(world.config.kafka, world.topics, world.codec);
  const charges = new Map(
    costs.map(({ value }) => [value.eventId, value.kind === 'CHARGE' ? value.calls.length : 0]),
  );
  const billed = [...charges.values()].reduce((sum, calls) => sum + calls, 0);
  const until = performance.now() + COUNTED_WITHIN_MS;
  let counted = await callsCounted(run);
  while (counted !== billed && performance.now() < until) {
    await wait(LOOK_MS);
    counted = await callsCounted(run);
  }
  run.note(`${counted} calls are counted`);
  if (counted !== billed) run.breach(`spend has ${counted} calls, the bills have ${billed}`);
}
