import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ensureIndexes } from '../../src/adapters/mongo/client/database.ts';
import { createRequestLedger } from '../../src/adapters/mongo/ledger/ledger.ts';
import type { RequestRow } from '../../src/adapters/mongo/ledger/request-row.ts';
import {
  again,
  claimRequest,
  crashed,
  describeLedger,
  finished,
  NOW,
  outcome,
  running,
  stopped,
} from '../contract/ledger-contract.ts';
import { type MongoProxy, startMongoProxy } from '../support/mongo-proxy.ts';

const mongodbUrl =
  process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0&directConnection=true';
const databaseName = `ledger-test-${randomUUID()}`;
const TTL_MS = 3_600_000;

const client = new MongoClient(mongodbUrl, { monitorCommands: true });
const db = client.db(databaseName);
const neverStopped = new AbortController().signal;

const ledgerOn = (
  database: Db,
  overrides: { signal?: AbortSignal; onRetry?: (error: unknown) => void; longestMs?: number } = {},
) =>
  createRequestLedger({
    db: database,
    ttlMs: TTL_MS,
    stopSignal: overrides.signal ?? neverStopped,
    onRetry: overrides.onRetry ?? (() => undefined),
    longestMs: overrides.longestMs,
  });
const rowOf = (identity: { tenantId: string; requestId: string }) =>
  db.collection<RequestRow>('requests').findOne({ _id: `${identity.tenantId} ${identity.requestId}` });

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const ledger = ledgerOn(db);

describeLedger('the ledger in MongoDB', () => ledger);

describe('a connection that breaks between checkout from the pool and the write', () => {
  /** The driver's internals that expose the socket of a connection. */
  interface Inside {
    readonly topology: {
      readonly s: {
        readonly servers: ReadonlyMap<
          string,
          { readonly pool: { readonly checkedOut: Iterable<{ readonly socket: Socket }> } }
        >;
      };
    };
  }

  it('leaves the driver waiting forever, and the claim is retried', async () => {
    const fragile = new MongoClient(mongodbUrl);
    await fragile.connect();
    await fragile.db(databaseName).command({ ping: 1 });
    let broken = 0;
    fragile.on('connectionCheckedOut', () => {
      if (broken > 0) return;
      const { servers } = (fragile as unknown as Inside).topology.s;
      for (const { pool } of servers.values())
        for (const { socket } of pool.checkedOut) {
          socket.destroy();
          broken += 1;
        }
    });
    const retried: string[] = [];
    const impatient = ledgerOn(fragile.db(databaseName), {
      longestMs: 300,
      onRetry: (error) => retried.push(String(error)),
    });
    try {
      expect(await impatient.claim(claimRequest())).toMatchObject({ kind: 'claimed' });
      expect(broken).toBe(1);
      expect(retried).toEqual(['NoAnswer: the database has not answered for 0.3 s']);
    } finally {
      await fragile.close();
    }
  });
});

describe('many at once', () => {
  it('gives 200 simultaneous claims of one request, over two ledgers, to exactly one', async () => {
    const first = claimRequest();
    const ledgers = [ledger, ledgerOn(db)];
    const claims = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        ledgers[index % 2]?.claim(
          again(first, { source: { ...first.source, offset: index }, owner: `worker-${index}` }),
        ),
      ),
    );
    const winners = claims.flatMap((claim, index) => (claim?.kind === 'claimed' ? [`worker-${index}`] : []));
    expect(winners).toHaveLength(1);
    expect(claims.filter((claim) => claim?.kind === 'held' && claim.owner === winners[0])).toHaveLength(199);
  });

  it('gives a dead worker’s claim to exactly one of many takers', async () => {
    const first = claimRequest();
    await ledger.claim(first);
    const claims = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        ledger.claim(again(first, { owner: `taker-${index}`, takeFrom: crashed(first), inQuarantine: true })),
      ),
    );
    expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1);
    expect(claims.filter(({ kind }) => kind === 'held')).toHaveLength(49);
  });

  it('batches simultaneous claims into few inserts, and distinguishes new from known ones', async () => {
    const known = Array.from({ length: 20 }, () => claimRequest());
    await Promise.all(known.map((request) => ledger.claim(request)));
    const fresh = Array.from({ length: 980 }, () => claimRequest());
    let inserts = 0;
    client.on('commandStarted', ({ commandName }) => {
      if (commandName === 'insert') inserts += 1;
    });

    const claims = await Promise.all(
      [...fresh, ...known.map((request) => again(request))].map((request) => ledger.claim(request)),
    );

    client.removeAllListeners('commandStarted');
    expect(inserts).toBe(2);
    expect(claims.slice(0, 980).every(({ kind }) => kind === 'claimed')).toBe(true);
    expect(claims.slice(980).every(({ kind }) => kind === 'held')).toBe(true);
  });

  it('distinguishes the lost writes of a batch from the others', async () => {
    const requests = Array.from({ length: 40 }, () => claimRequest());
    await Promise.all(requests.map((request) => ledger.claim(request)));
    const lost = requests.filter((_, index) => index % 4 === 0);
    await Promise.all(lost.map((request) => ledger.claim(again(request, { takeFrom: stopped(request) }))));

    const begun = await Promise.all(
      requests.map(({ identity, token }) =>
        ledger.beginAttempt(identity, token, running(2), [finished(1, 'RETRIED')]),
      ),
    );
    expect(begun).toEqual(requests.map((request) => !lost.includes(request)));
    const stored = await Promise.all(
      requests.map(({ identity, token }) =>
        ledger.complete(identity, token, outcome, [finished(2, 'ACCEPTED')]),
      ),
    );
    expect(stored).toEqual(requests.map((request) => !lost.includes(request)));
  });

  it('fails only a row that is too large for the database, not its neighbours', async () => {
    const requests = [claimRequest(), claimRequest()] as const;
    await Promise.all(requests.map((request) => ledger.claim(request)));
    const tooLarge = { ...outcome, response: Buffer.alloc(17 * 1024 * 1024) };

    const [large, normal] = await Promise.allSettled([
      ledger.complete(requests[0].identity, requests[0].token, tooLarge, []),
      ledger.complete(requests[1].identity, requests[1].token, outcome, []),
    ]);
    expect(large.status).toBe('rejected');
    expect(normal).toEqual({ status: 'fulfilled', value: true });
    expect(await ledger.claim(again(requests[0]))).toMatchObject({ kind: 'held' });
  });

  it('fails only a claim that can never be stored', async () => {
    const hopeless = claimRequest({ bodyHash: Buffer.alloc(17 * 1024 * 1024) });
    const [bad, good] = await Promise.allSettled([ledger.claim(hopeless), ledger.claim(claimRequest())]);
    expect(bad.status).toBe('rejected');
    expect(good).toMatchObject({ status: 'fulfilled', value: { kind: 'claimed' } });
  });
});

describe('a row', () => {
  it('expires after its time to live, counted from its last claim', async () => {
    const request = claimRequest();
    await ledger.claim(request);
    expect((await rowOf(request.identity))?.expiresAt).toEqual(new Date(NOW + TTL_MS));

    await ledger.release(request.identity, request.token, []);
    await ledger.claim(again(request, { now: NOW + 1_000 }));
    expect((await rowOf(request.identity))?.expiresAt).toEqual(new Date(NOW + 1_000 + TTL_MS));
    const indexes = await db.collection('requests').indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
  });

  it('keeps only the newest replays, so that it stays bounded', async () => {
    const request = claimRequest();
    await ledger.claim(request);
    await ledger.complete(request.identity, request.token, outcome, []);
    const source = (offset: number) => ({ ...request.source, offset: 1_000 + offset });
    const settledReplays = async () => (await rowOf(request.identity))?.settledReplays;

    await ledger.markSettled([request, { ...request, source: source(0) }]);
    await ledger.markSettled([{ ...request, source: source(0) }]);
    expect(await settledReplays()).toHaveLength(1);

    await ledger.markSettled(
      Array.from({ length: 150 }, (_, offset) => ({ ...request, source: source(offset) })),
    );

    expect(await settledReplays()).toHaveLength(100);
    expect(await ledger.claim(again(request, { source: source(149) }))).toMatchObject({ settled: true });
    expect(await ledger.claim(again(request, { source: source(0) }))).toMatchObject({ settled: false });
  });
});

describe('on a bad network', () => {
  let proxy: MongoProxy;
  let distant: MongoClient;
  const unluckyLedger = (overrides?: Parameters<typeof ledgerOn>[1]) =>
    ledgerOn(distant.db(databaseName), overrides);

  beforeAll(async () => {
    proxy = await startMongoProxy(mongodbUrl);
    distant = await new MongoClient(proxy.url, { serverSelectionTimeoutMS: 100 }).connect();
  });
  afterEach(() => proxy.restore());
  afterAll(async () => {
    await distant.close();
    await proxy.close();
  });

  // The driver retries a write once automatically, so only a second lost answer reaches us.
  const LOST_TWICE = 2;

  it('recognises its own claim when the answer was lost', async () => {
    const retried: unknown[] = [];
    const unlucky = unluckyLedger({ onRetry: (error) => retried.push(error) });
    const requests = [claimRequest(), claimRequest({ draft: null })];
    proxy.loseAnswers('insert', LOST_TWICE);

    const claims = await Promise.all(requests.map((request) => unlucky.claim(request)));

    expect(retried).toHaveLength(1);
    expect(claims).toEqual(
      requests.map(() => ({ kind: 'claimed', attempt: 1, earlier: [], quarantined: false })),
    );
  });

  it('takes over once when the answer to the takeover was lost', async () => {
    const first = claimRequest();
    await ledger.claim(first);
    const taker = again(first, { owner: 'worker-b', takeFrom: stopped(first) });
    proxy.loseAnswers('findAndModify', LOST_TWICE);

    expect(await unluckyLedger().claim(taker)).toMatchObject({ kind: 'claimed', attempt: 2 });
    expect(await rowOf(first.identity)).toMatchObject({ attempts: [{}, {}] });
  });

  it('stores attempts and outcomes once when the answers were lost', async () => {
    const unlucky = unluckyLedger();
    const request = claimRequest();
    await unlucky.claim(request);

    proxy.loseAnswers('update', LOST_TWICE);
    expect(
      await unlucky.beginAttempt(request.identity, request.token, running(2), [finished(1, 'RETRIED')]),
    ).toBe(true);
    proxy.loseAnswers('update', LOST_TWICE);
    expect(await unlucky.complete(request.identity, request.token, outcome, [finished(2, 'ACCEPTED')])).toBe(
      true,
    );

    expect((await rowOf(request.identity))?.attempts).toEqual([
      finished(1, 'RETRIED'),
      finished(2, 'ACCEPTED'),
    ]);
  });

  it('waits while the database is down, and loses nothing', async () => {
    const waiting = Promise.withResolvers<void>();
    const patient = unluckyLedger({ onRetry: () => waiting.resolve() });
    proxy.cut();
    const claims = Promise.all(Array.from({ length: 10 }, () => patient.claim(claimRequest())));
    await waiting.promise;
    proxy.restore();
    expect((await claims).every(({ kind }) => kind === 'claimed')).toBe(true);
  });

  it('stops waiting when it is aborted, with the abort reason', async () => {
    const stop = new AbortController();
    const stopping = unluckyLedger({
      signal: stop.signal,
      onRetry: () => stop.abort(new Error('draining')),
    });
    proxy.cut();
    await expect(stopping.claim(claimRequest())).rejects.toThrow('draining');
  });

  it('fails when progress cannot be written, instead of waiting', async () => {
    const retried: unknown[] = [];
    const unlucky = unluckyLedger({ onRetry: (error) => retried.push(error) });
    const { identity, token } = claimRequest();
    proxy.cut();
    const report = unlucky.reportProgress([{ identity, token, attempt: 1, outputBytes: 1 }]);
    await expect(report).rejects.toThrow();
    expect(retried).toHaveLength(1);
  });

  it('gives up marking outcomes as settled rather than fail, and counts it', async () => {
    const best = unluckyLedger();
    proxy.cut();
    await best.markSettled([claimRequest()]);
    expect(best.unmarkedBatches).toBe(1);
  });
});
