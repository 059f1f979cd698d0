import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { type CommandStartedEvent, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LeaseRow } from '../../src/adapters/mongo/leases/lease-row.ts';
import { type RunningWorkerLease, startWorkerLease } from '../../src/adapters/mongo/leases/worker-lease.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { type MongoProxy, startMongoProxy } from '../support/mongo-proxy.ts';

const mongodbUrl =
  process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0&directConnection=true';
const databaseName = `lease-test-${randomUUID()}`;
/** Long enough that a heartbeat is not late on a busy machine. */
const LEASE_MS = 300;
/** The lease of owners that never send another heartbeat. */
const STILL_MS = 80;
const LONG_LEASE_MS = 60_000;

const client = new MongoClient(mongodbUrl, { monitorCommands: true });
const db = client.db(databaseName);
const leases = db.collection<LeaseRow>('leases');
const systemClock: Clock = { now: Date.now, monotonic: () => performance.now() };
const never = new AbortController().signal;

let proxy: MongoProxy;
let distant: MongoClient;
let started: RunningWorkerLease[] = [];

async function leaseOf(options: { leaseMs?: number; clock?: Clock; through?: MongoClient } = {}) {
  const lost = Promise.withResolvers<string>();
  const renewed = Promise.withResolvers<void>();
  const unreachable = Promise.withResolvers<void>();
  const lease: RunningWorkerLease = await startWorkerLease({
    db: (options.through ?? client).db(databaseName),
    leaseMs: options.leaseMs ?? LEASE_MS,
    clock: options.clock ?? systemClock,
    onLost: () => lost.resolve(lease.workerId),
    onRenewed: renewed.resolve,
    onUnreachable: unreachable.resolve,
    onRetry: () => undefined,
  });
  started.push(lease);
  return { lease, lost: lost.promise, renewed: renewed.promise, unreachable: unreachable.promise };
}

/** Resolves after the next heartbeat of the lease's document. */
async function nextBeat(workerId: string): Promise<void> {
  const changes = leases.watch([{ $match: { 'documentKey._id': workerId } }]);
  await changes.next();
  await changes.close();
}

/** A clock that can skip a whole lease, as for a process that is stopped and continued. */
function freezableClock() {
  let frozenMs = 0;
  const clock: Clock = { now: Date.now, monotonic: () => performance.now() + frozenMs };
  return {
    clock,
    freeze: () => {
      frozenMs = LEASE_MS;
    },
  };
}

const isBeatOf = (workerId: string, { commandName, command }: CommandStartedEvent) =>
  commandName === 'findAndModify' && command['query']?._id === workerId;

/** A worker without heartbeats: only its document is left. */
async function stillOwner(leaseMs: number): Promise<string> {
  const owner = randomUUID();
  await leases.insertOne({ _id: owner, beat: 7, leaseMs, at: new Date() });
  return owner;
}

beforeAll(async () => {
  await client.connect();
  await db.createCollection('leases');
  proxy = await startMongoProxy(mongodbUrl);
  distant = await new MongoClient(proxy.url, { serverSelectionTimeoutMS: 50 }).connect();
});
afterEach(async () => {
  proxy.restore();
  await Promise.all(started.map((lease) => lease.stop()));
  started = [];
});
afterAll(async () => {
  await distant.close();
  await proxy.close();
  await db.dropDatabase();
  await client.close();
});

describe('a worker’s lease', () => {
  it('is renewed on the server’s time, and is removed by the stop', async () => {
    const { lease } = await leaseOf();
    expect(await lease.held(never)).toBe(lease.workerId);
    await nextBeat(lease.workerId);
    const row = await leases.findOne({ _id: lease.workerId });
    expect(row?.beat).toBeGreaterThan(1);
    expect(row?.at).toBeInstanceOf(Date);

    await lease.stop();
    expect(await leases.findOne({ _id: lease.workerId })).toBeNull();
    await expect(lease.held(never)).rejects.toThrow('stopped');
  });

  it('is kept when heartbeats fail: nothing is claimed until they succeed again under the same id', async () => {
    const { lease, lost, renewed, unreachable } = await leaseOf({ through: distant });
    const former = lease.workerId;
    let isLost = false;
    void lost.then(() => {
      isLost = true;
    });
    proxy.cut();
    await unreachable;
    const order: string[] = [];
    const held = lease.held(never).then((id) => {
      order.push('held');
      return id;
    });
    void renewed.then(() => order.push('renewed'));
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    expect(order).toEqual([]);

    proxy.restore();
    await renewed;
    expect(await held).toBe(former);
    expect(isLost).toBe(false);
    expect(await leases.findOne({ _id: former })).not.toBeNull();
  });

  it('is seen as dead by a watcher that can read it, but is still renewed under the same id', async () => {
    const { lease, renewed } = await leaseOf({ through: distant });
    const { lease: watcher } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    const former = lease.workerId;
    proxy.cut();
    while (!(await watcher.isDead(former, never)));
    proxy.restore();
    await renewed;
    expect(lease.workerId).toBe(former);
    expect(await watcher.isDead(former, never)).toBe(false);
  });

  it('is not seen as dead by a watcher that could not read it', async () => {
    const { lease } = await leaseOf({ through: distant });
    const { lease: watcher, unreachable } = await leaseOf({ through: distant });
    const verdict = watcher.isDead(lease.workerId, never);
    proxy.cut();
    // Twice the watched lease.
    await unreachable;
    proxy.restore();
    expect(await verdict).toBe(false);
  });

  it('is written again when its document is missing, and claims must be verified', async () => {
    const { lease, renewed } = await leaseOf();
    const former = lease.workerId;
    await leases.deleteOne({ _id: former });
    await renewed;
    expect(lease.workerId).toBe(former);
    expect(await leases.findOne({ _id: former })).not.toBeNull();
  });

  it('is lost by a frozen process before it sends another heartbeat', async () => {
    const { clock, freeze } = freezableClock();
    const { lease, lost } = await leaseOf({ clock });
    const former = lease.workerId;
    await nextBeat(former);
    let beats = 0;
    client.on('commandStarted', (event) => {
      if (isBeatOf(former, event)) beats += 1;
    });
    freeze();
    await lost;
    client.removeAllListeners('commandStarted');
    expect(beats).toBe(0);
  });

  it('is lost by a process frozen during a heartbeat, as soon as the heartbeat is answered', async () => {
    const { clock, freeze } = freezableClock();
    const { lease, lost } = await leaseOf({ clock });
    const former = lease.workerId;
    let isLost = false;
    void lost.then(() => {
      isLost = true;
    });
    const answered = Promise.withResolvers<void>();
    client.on('commandStarted', (event) => {
      if (!isBeatOf(former, event)) return;
      freeze();
      client.once('commandSucceeded', () => answered.resolve());
    });
    await answered.promise;
    client.removeAllListeners('commandStarted');
    // A few turns of the event loop, far less than the time to the next heartbeat.
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    expect(isLost).toBe(true);
  });

  it('stops waiting for a lease when the caller does, and stops without a database', async () => {
    const { lease, unreachable } = await leaseOf({ through: distant });
    proxy.cut();
    await unreachable;
    const caller = new AbortController();
    const held = lease.held(caller.signal);
    caller.abort(new Error('enough'));
    await expect(held).rejects.toThrow('enough');
    await lease.stop();
  });
});

describe('another worker', () => {
  it('is dead at once when it has no lease', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    expect(await lease.isDead('nobody', never)).toBe(true);
  });

  it('is dead only after a whole lease without a heartbeat', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    const begin = performance.now();
    expect(await lease.isDead(await stillOwner(STILL_MS), never)).toBe(true);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(STILL_MS);
  });

  it('has stopped on purpose when it has no lease or had begun to stop; a crashed one has not', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    expect(await lease.hasEnded('nobody')).toBe(true);
    expect(await lease.hasEnded(await stillOwner(STILL_MS))).toBe(false);
    const { lease: stopping } = await leaseOf();
    await nextBeat(stopping.workerId);
    await stopping.announceStop();
    await nextBeat(stopping.workerId);
    expect(await lease.hasEnded(stopping.workerId)).toBe(true);
  });

  it('is watched by the watcher’s own monotonic clock', async () => {
    let elapsedMs = 0;
    const { lease } = await leaseOf({
      leaseMs: LONG_LEASE_MS,
      clock: { now: () => 0, monotonic: () => elapsedMs },
    });
    const owner = await stillOwner(40);
    const verdict = lease.isDead(owner, never);
    let looks = 0;
    const lookedManyTimes = Promise.withResolvers<void>();
    client.on('commandStarted', ({ command }) => {
      if (command['filter']?._id !== owner) return;
      looks += 1;
      if (looks === 8) lookedManyTimes.resolve();
      if (looks > 8) elapsedMs += 10;
    });
    // Twice the reads of a whole lease, while the watcher's clock stands still.
    await lookedManyTimes.promise;
    expect(await verdict).toBe(true);
    client.removeAllListeners('commandStarted');
    expect(looks).toBeGreaterThanOrEqual(12);
  });

  it('is alive as soon as it sends a heartbeat', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    const { lease: other } = await leaseOf();
    expect(await lease.isDead(other.workerId, never)).toBe(false);
  });

  it('is dead as soon as its lease is removed', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    const owner = await stillOwner(2_000);
    const looking = once(client, 'commandSucceeded');
    const verdict = lease.isDead(owner, never);
    await looking;
    await leases.deleteOne({ _id: owner });
    expect(await verdict).toBe(true);
  });

  it('is watched once for all callers, each of which may stop', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    const owner = await stillOwner(STILL_MS);
    let looks = 0;
    client.on('commandStarted', ({ command }) => {
      if (command['filter']?._id === owner) looks += 1;
    });
    const impatient = new AbortController();
    const aborted = lease.isDead(owner, impatient.signal);
    const verdicts = Promise.all(Array.from({ length: 20 }, () => lease.isDead(owner, never)));
    impatient.abort(new Error('enough'));

    await expect(aborted).rejects.toThrow('enough');
    expect(await verdicts).toEqual(Array.from({ length: 20 }, () => true));
    client.removeAllListeners('commandStarted');
    expect(looks).toBeLessThan(10);
  });

  it('is no longer watched when no caller is left', async () => {
    const { lease } = await leaseOf({ leaseMs: LONG_LEASE_MS });
    const caller = new AbortController();
    const verdict = lease.isDead(await stillOwner(LONG_LEASE_MS), caller.signal);
    caller.abort(new Error('enough'));
    await expect(verdict).rejects.toThrow('enough');
    await expect(lease.isDead('anyone', caller.signal)).rejects.toThrow('enough');
  });
});
