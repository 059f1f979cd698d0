import { afterEach, beforeEach, expect, test } from 'vitest';
import { breaches } from '../support/check-guarantees.ts';
import { killerScript, mortalEnv } from '../support/killer.ts';
import type { Worker } from '../support/worker.ts';
import { request, World } from '../support/world.ts';

let world: World;
let workers: Set<Worker>;
let isOver = false;

beforeEach(async () => {
  isOver = false;
  workers = new Set();
  // One partition, so that the owner of the killer also has its neighbours.
  world = await World.create({
    partitions: 1,
    env: { LEASE_MS: '2000', KAFKA_SESSION_TIMEOUT: '6s', ...mortalEnv() },
  });
});

afterEach(async () => {
  isOver = true;
  await world?.close();
});

/** A worker that is restarted when it dies, as an orchestrator does. */
function supervise(): Worker {
  const worker = world.spawnWorker();
  workers.add(worker);
  void worker.exited.then(() => {
    workers.delete(worker);
    if (!isOver) supervise();
  });
  return worker;
}

test('one killer among twelve harmless neighbours on three workers: twelve are answered, one is poison', async () => {
  await Promise.all([supervise(), supervise(), supervise()].map(({ ready }) => ready));
  const history = await world.readHistory();
  const neighbours = Array.from({ length: 12 }, (_, index) =>
    request(`neighbour-${index}`, { script: { tokens: 30, gapMs: 60, promptTokens: 10 } }),
  );
  const killer = request('killer', { script: killerScript(1_000) });
  await world.publish([...neighbours, killer]);

  await history.untilAnswered(13);

  const endOf = (id: string) => {
    const response = history.originals.find(({ requestId }) => requestId === id);
    return response?.error?.code ?? response?.status;
  };
  expect(neighbours.map(({ request: { requestId } }) => endOf(requestId))).toEqual(
    neighbours.map(() => 'COMPLETED'),
  );
  expect(endOf('killer')).toBe('poison');
  const calls = await world.standIn.calls();
  expect(breaches([...neighbours, killer], history, calls)).toEqual([]);
  // Twice next to its neighbours, and in quarantine as often as needed to be sure.
  expect(calls.filter(({ requestId }) => requestId === 'killer')).toHaveLength(5);
});
