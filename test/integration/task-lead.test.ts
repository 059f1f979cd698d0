import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createModelStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import { createTaskLead } from '../../src/adapters/mongo/leases/task-lead.ts';
import { type RunningWorkerLease, startWorkerLease } from '../../src/adapters/mongo/leases/worker-lease.ts';
import { NEVER_LISTED } from '../../src/catalog/stores.ts';
import { TaskLost } from '../../src/catalog/upkeep/keep-catalog.ts';

const mongodbUrl =
  process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0&directConnection=true';
const client = new MongoClient(mongodbUrl);
const db = client.db(`task-lead-${randomUUID()}`);
const clock = { now: Date.now, monotonic: () => performance.now() };
const never = new AbortController().signal;
const HOUR = 3_600_000;
let leases: RunningWorkerLease[] = [];

beforeAll(() => client.connect());
afterEach(async () => {
  await Promise.all(leases.map((lease) => lease.stop()));
  leases = [];
  await db.dropDatabase();
});
afterAll(() => client.close());

/** A process that can run the task. */
async function candidate() {
  const lease = await startWorkerLease({
    db,
    leaseMs: 500,
    clock,
    onLost: () => undefined,
    onRetry: () => undefined,
  });
  leases.push(lease);
  return { lease, lead: createTaskLead(db, 'task', lease) };
}

describe('a task that one process runs at a time', () => {
  it('is due at first, and again after the given time on the server’s clock', async () => {
    const { lead } = await candidate();
    expect(await lead.isDue()).toBe(true);
    const owner = await lead.take(never);
    await lead.release(owner, HOUR);
    expect(await lead.isDue()).toBe(false);
    await lead.release(await lead.take(never), null);
    expect(await lead.isDue()).toBe(false);
    await lead.release(await lead.take(never), 0);
    expect(await lead.isDue()).toBe(true);
  });

  it('goes to one of many, and to the next when it is released', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => candidate()));
    let holders = 0;
    let most = 0;
    await Promise.all(
      all.map(async ({ lead }) => {
        const owner = await lead.take(never);
        holders += 1;
        most = Math.max(most, holders);
        await lead.isDue();
        holders -= 1;
        await lead.release(owner, null);
      }),
    );
    expect(most).toBe(1);
  });

  it('is taken over from an owner whose lease expired, and its writes are refused from then on', async () => {
    const dead = await candidate();
    const owner = await dead.lead.take(never);
    // As if it were frozen: it sends no heartbeat and releases nothing.
    await db.collection<{ _id: string }>('leases').deleteOne({ _id: dead.lease.workerId });
    const next = await candidate();
    const taker = await next.lead.take(never);
    expect(taker).not.toBe(owner);

    const model = {
      provider: 'openai',
      id: 'late',
      contextWindow: null,
      maxOutputTokens: null,
      maxTokensParameter: 'max_tokens' as const,
      refusedParameters: [],
      refusedWhileReasoning: [],
      defaultReasoningEffort: null,
      capabilities: [],
      aliases: [],
      snapshot: null,
      shutdownAt: null,
      source: 'test',
      ...NEVER_LISTED,
    };
    const late = createModelStore(db, { task: { task: 'task', owner } }).update(() => [model]);
    await expect(late).rejects.toBeInstanceOf(TaskLost);
    expect(await createModelStore(db).list()).toEqual([]);
    await createModelStore(db, { task: { task: 'task', owner: taker } }).update(() => [model]);
    expect(await createModelStore(db).list()).toHaveLength(1);
    // Releasing a lost task changes nothing.
    await dead.lead.release(owner, HOUR);
    expect(await next.lead.isDue()).toBe(true);
  });

  it('does not delay the stop of the process', async () => {
    const holder = await candidate();
    await holder.lead.take(never);
    const stop = new AbortController();
    const waiting = (await candidate()).lead.take(stop.signal);
    stop.abort(new Error('stopping'));
    await expect(waiting).rejects.toThrow('stopping');
  });
});
