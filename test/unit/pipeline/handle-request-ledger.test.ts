import { describe, expect, it } from 'vitest';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import { ProgressReporter } from '../../../src/pipeline/calling/progress-reporter.ts';
import { FakeProvider, said } from '../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

const identity = { tenantId: 'default', requestId: 'request-1' };

/** Another worker that has claimed the request and works on it. */
async function heldByAnother(handling: Handling, record = handling.record()) {
  const other = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
  other.lease.workerId = 'worker-2';
  const calling = Promise.withResolvers<void>();
  other.provider.onSilence = calling.resolve;
  const ended = other.handle(record).catch((error: unknown) => error);
  await calling.promise;
  return { record, other, ended };
}

describe('a redelivered record', () => {
  it('is answered with the same events, without another call', async () => {
    const handling = new Handling();
    const record = handling.record();
    const first = await handling.handle(record);
    handling.clock.advance(5_000);
    const second = await handling.handle(record);
    expect(second.records).toEqual(first.records);
    expect(second).toMatchObject({ inLedger: true, replayed: false });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('publishes nothing when its outcome is already visible', async () => {
    const handling = new Handling();
    const record = handling.record();
    await handling.handle(record);
    await handling.ledger.markSettled([{ identity, source: record }]);
    const second = await handling.handle(record);
    expect(second.records).toEqual([]);
    expect(second.inLedger).toBe(false);
    expect(handling.provider.calls).toHaveLength(1);
  });
});

describe('a request that is published twice', () => {
  it('is answered twice from one call, and billed once', async () => {
    const handling = new Handling();
    const first = await handling.handle(handling.record());
    const second = await handling.handle(handling.record());
    expect(second).toMatchObject({ replayed: true, inLedger: true, status: 'COMPLETED' });
    expect(second.records).toHaveLength(1);
    const { response } = outcomeOf(second.records);
    expect(response).toEqual({ ...outcomeOf(first.records).response, replayed: true, chunkCount: 0 });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('with another deadline and other labels is still a duplicate', async () => {
    const handling = new Handling();
    await handling.handle(handling.record());
    const deadline = handling.clock.now() + 60_000;
    const { replayed } = await handling.handle(handling.record({ deadline, labels: { try: '2' } }));
    expect(replayed).toBe(true);
  });

  it('with another body is refused with its id, and the first one stands', async () => {
    const handling = new Handling();
    const first = await handling.handle(handling.record());
    const second = await handling.handle(handling.record({ model: 'gpt-4o' }));
    expect(second).toMatchObject({ code: 'invalid_request', inLedger: false });
    const { response, cost } = outcomeOf(second.records);
    expect(response?.error).toMatchObject({
      param: 'requestId',
      message: expect.stringContaining('request-1'),
    });
    expect(response?.eventId).not.toBe(outcomeOf(first.records).response?.eventId);
    expect(cost).toBeUndefined();
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('by two tenants is two requests', async () => {
    const handling = new Handling();
    await handling.handle(handling.record({ tenantId: 'acme' }));
    const second = await handling.handle(handling.record({ tenantId: 'globex' }));
    expect(second.replayed).toBe(false);
    expect(handling.provider.calls).toHaveLength(2);
  });
});

describe('a request that another worker handles', () => {
  it('waits while that worker sends heartbeats, only reads, and takes its outcome from the ledger', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    const watched = Promise.withResolvers<void>();
    handling.lease.onWatch = () => watched.resolve();
    const waiting = handling.handle(record);
    await watched.promise;
    expect(handling.lease.watches[0]?.owner).toBe('worker-2');

    const row = handling.ledger.rows.get('default request-1');
    const done = new Handling();
    await done.handle(record);
    const outcome = done.ledger.rows.get('default request-1')?.outcome;
    if (row === undefined || outcome == null) throw new Error('there is no outcome to put in');
    const { writes } = handling.ledger;
    const before = writes.length;
    row.claim = null;
    row.outcome = outcome;
    const { records } = await waiting;
    expect(outcomeOf(records).response?.status).toBe('COMPLETED');
    expect(writes.slice(before)).toEqual(['claim']);
    expect(handling.provider.calls).toHaveLength(0);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('takes over from a worker that it detected as dead, and bills that worker’s call as an orphan', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    const { records } = await handling.handle(record);
    expect(outcomeOf(records)).toMatchObject({
      response: { status: 'COMPLETED', attempts: 2, acceptedAttempt: 2 },
      cost: {
        totalCost: '0.00639',
        acceptedCost: '0.006',
        calls: [
          { attempt: 1, disposition: 'ORPHANED', usage: { inputTokens: 13, confidence: 'ESTIMATED' } },
          { attempt: 2, disposition: 'ACCEPTED' },
        ],
      },
    });
    // The dead worker returns, but cannot use its old claim.
    other.stop.abort(new Error('stopped'));
    await ended;
    expect(handling.ledger.rows.get('default request-1')?.outcome).not.toBeNull();
    expect(handling.attempts()).toMatchObject([{ disposition: 'ORPHANED' }, { disposition: 'ACCEPTED' }]);
  });

  it('is watched once for all waiting records, and not at all after the last one', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    const waiting = [record, handling.record(), handling.record()].map((one) => handling.handle(one));
    while (handling.ledger.reads < 2) await turn();
    expect(handling.lease.watches).toHaveLength(1);
    expect(handling.ledger.writes.filter((write) => write === 'claim')).toHaveLength(4);
    const stopping = new Error('the service is stopping');
    handling.stop.abort(stopping);
    for (const one of waiting) await expect(one).rejects.toBe(stopping);
    expect(handling.lease.watches[0]?.signal.aborted).toBe(true);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('does not wait when the service begins to stop', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    const watched = Promise.withResolvers<void>();
    handling.lease.onWatch = () => watched.resolve();
    const waiting = handling.handle(record);
    await watched.promise;
    const reason = new Error('the service begins to stop');
    handling.options.admission.drain(reason);
    await expect(waiting).rejects.toBe(reason);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('releases its slot to others while it waits, and holds no permit', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    const { admission } = handling.options;
    handling.lease.onWatch = ({ verdict }) => {
      expect(admission.counts.parked).toBe(1);
      verdict.resolve(true);
    };
    await handling.handle(record);
    expect(admission.counts.parked).toBe(0);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it.each([
    ['its deadline', 'deadline_exceeded', { deadline: true }],
    ['CHAT_REQUEST_TIMEOUT', 'timeout', { deadline: false }],
  ])('makes a duplicate wait until %s, when the duplicate alone fails', async (_, code, { deadline }) => {
    const handling = new Handling(new FakeProvider(), { requestTimeoutMs: deadline ? 60_000 : 20 });
    const { other, ended } = await heldByAnother(handling);
    const members = deadline ? { deadline: handling.clock.now() + 20 } : {};
    const handled = await handling.handle(handling.record(members));
    expect(handled).toMatchObject({ code, inLedger: false });
    expect(outcomeOf(handled.records)).toMatchObject({ response: { attempts: 0 }, cost: undefined });
    expect(handling.ledger.rows.get('default request-1')?.claim?.owner).toBe('worker-2');
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('fails after the deadline and its owner’s grace when its own record waits, with the lost call on the bill', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    const late = handling.record(
      { deadline: handling.clock.now() + 10_000 },
      { offset: record.offset, key: record.key },
    );
    // The deadline and its owner's grace are over.
    handling.clock.advance(15_000);
    const handled = await handling.handle(late);
    expect(outcomeOf(handled.records)).toMatchObject({
      response: { error: { code: 'deadline_exceeded' }, attempts: 1 },
      cost: { calls: [{ attempt: 1, disposition: 'ORPHANED' }] },
    });
    expect(handling.provider.calls).toEqual([]);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('takes its time after the wait for the lease, so that the call has its current price', async () => {
    const handling = new Handling();
    handling.lease.beforeHeld = () => handling.clock.advance(60_000);
    await handling.handle(handling.record());
    expect(handling.attempts()[0]?.startedAt).toBe(handling.clock.now());
  });
});

/** A request whose worker has crashed with it so often: twice next to other requests, then in quarantine. */
async function crashedWith(handling: Handling, crashes: number, record = handling.record()) {
  for (let crash = 0; crash < crashes; crash += 1) {
    const worker = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    worker.lease.workerId = `crashed-${crash}`;
    worker.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    const calling = Promise.withResolvers<void>();
    worker.provider.onSilence = calling.resolve;
    void worker.handle(record);
    await calling.promise;
  }
  handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
  return record;
}

describe('a suspect', () => {
  const row = ({ ledger }: Handling, id = 'request-1') => ledger.rows.get(`default ${id}`);

  it('is called from quarantine, and is not claimed before its turn', async () => {
    const handling = new Handling();
    const record = await crashedWith(handling, 2);
    const first = handling.handler.claims.quarantine.open();
    first.tryEnter();
    const running = handling.handle(record);
    while (row(handling)?.suspect !== true) await turn();
    await turn();
    expect(row(handling)?.claim).toBeNull();
    expect(handling.provider.calls).toEqual([]);
    const other = await handling.handle(handling.record({ requestId: 'healthy' }));
    expect(other.status).toBe('COMPLETED');

    let quarantined: boolean | undefined;
    const stream = handling.provider.stream.bind(handling.provider);
    handling.provider.stream = (call, signal) => {
      quarantined = row(handling)?.claim?.quarantined;
      return stream(call, signal);
    };
    first.leave();
    expect((await running).status).toBe('COMPLETED');
    expect(quarantined).toBe(true);
    expect(handling.handler.claims.quarantine.open().tryEnter()).toBe(true);
  });

  it('is not a suspect when its worker stopped deliberately', async () => {
    const handling = new Handling();
    const record = await crashedWith(handling, 2);
    handling.lease.ended.add('crashed-1');
    handling.handler.claims.quarantine.open().tryEnter();
    expect((await handling.handle(record)).status).toBe('COMPLETED');
    expect(row(handling)).toMatchObject({ suspect: false, crashes: [] });
  });

  it('releases its place to others when it fails, and remains a suspect', async () => {
    const handling = new Handling(new FakeProvider({ refuses: new TypeError('a bug') }));
    const record = await crashedWith(handling, 2);
    await expect(handling.handle(record)).rejects.toThrow('a bug');
    expect(row(handling)).toMatchObject({ claim: null, suspect: true, crashes: [] });
    expect(handling.handler.claims.quarantine.open().tryEnter()).toBe(true);
  });

  it('does not wait for its turn when the service stops, and leaves no claim', async () => {
    const handling = new Handling();
    const record = await crashedWith(handling, 2);
    const first = handling.handler.claims.quarantine.open();
    first.tryEnter();
    const running = handling.handle(record);
    while (row(handling)?.suspect !== true) await turn();
    await turn();
    const stopped = new Error('the service is stopping');
    handling.stop.abort(stopped);
    await expect(running).rejects.toBe(stopped);
    expect(row(handling)?.claim).toBeNull();
    first.leave();
    expect(handling.handler.claims.quarantine.open().tryEnter()).toBe(true);
  });

  it('fails at its deadline while it waits for its turn', async () => {
    const handling = new Handling();
    const record = handling.record({ deadline: handling.clock.now() + 40 });
    await crashedWith(handling, 2, record);
    handling.handler.claims.quarantine.open().tryEnter();
    const running = handling.handle(record);
    handling.clock.advance(40);
    expect(await running).toMatchObject({ code: 'deadline_exceeded', inLedger: true });
    expect(handling.provider.calls).toEqual([]);
  });

  it('is not blamed for a frozen worker: when that worker wakes, the crash no longer counts', async () => {
    const handling = new Handling();
    const record = await crashedWith(handling, 2);
    const frozen = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    frozen.lease.workerId = 'frozen';
    frozen.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    const calling = Promise.withResolvers<void>();
    frozen.provider.onSilence = calling.resolve;
    const ended = frozen.handle(record).catch((error: unknown) => error);
    await calling.promise;
    const silent = Promise.withResolvers<void>();
    const taker = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    taker.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    taker.provider.onSilence = silent.resolve;
    void taker.handle(record).catch(() => undefined);
    await silent.promise;
    expect(row(handling)?.crashes).toHaveLength(1);
    frozen.stop.abort(new Error('the worker lost its lease'));
    await ended;
    expect(row(handling)?.crashes).toEqual([]);
    taker.stop.abort(new Error('stopped'));
  });
});

describe('a request that three workers crashed with in quarantine', () => {
  it('ends as poison with the cost of the lost calls and a dead letter, without another call', async () => {
    const handling = new Handling();
    const record = handling.record({}, { headers: { mood: 'fine' } });
    await crashedWith(handling, 5, record);
    const handled = await handling.handle(record);

    expect(handled.code).toBe('poison');
    expect(outcomeOf(handled.records)).toMatchObject({
      response: { status: 'FAILED', error: { code: 'poison', retryable: false }, attempts: 5 },
      cost: { acceptedCost: null, calls: [{}, {}, {}, {}, { disposition: 'ORPHANED' }] },
      dead: {
        partition: 3,
        key: record.key,
        value: record.value,
        headers: { mood: 'fine', 'dead-code': 'poison', 'dead-offset': String(record.offset) },
      },
    });
    const { totalCost } = outcomeOf(handled.records).cost ?? {};
    expect(handling.provider.calls).toHaveLength(0);

    // A redelivery before it was settled repeats the dead letter. A duplicate gets the failure alone.
    const again = await handling.handle(record);
    expect(again.records).toEqual(handled.records);
    const refused = outcomeOf(handled.recordsIfRefused());
    expect(refused.cost).toMatchObject({ totalCost });
    expect(refused.dead).toMatchObject({ value: null, headers: { 'dead-value-omitted': 'too large' } });
  });
});

describe('a claim that was lost', () => {
  /** The claim goes to another worker, which dies at once, just before a write. */
  function loseBefore(handling: Handling, lostAt: string) {
    let lost = false;
    handling.ledger.before = (write) => {
      const row = handling.ledger.rows.get('default request-1');
      if (write !== lostAt || lost || row === undefined) return;
      lost = true;
      row.claim = { token: 'theirs', owner: 'worker-2', at: new Date(0) };
    };
    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
  }

  it('while the answer was written restarts from the claim', async () => {
    const handling = new Handling();
    loseBefore(handling, 'complete');
    const { records } = await handling.handle(handling.record());
    expect(handling.ledger.writes).toEqual(['claim', 'complete', 'claim', 'claim', 'complete']);
    expect(outcomeOf(records).response).toMatchObject({ status: 'COMPLETED', acceptedAttempt: 2 });
  });

  it('before a retry makes no further call under the old claim', async () => {
    const slow = new ChatFailure('timeout', 'slow', true);
    const handling = new Handling(new FakeProvider({ refuses: slow }, {}));
    loseBefore(handling, 'beginAttempt');
    const { records } = await handling.handle(handling.record());
    expect(handling.ledger.writes).toEqual(['claim', 'beginAttempt', 'claim', 'claim', 'complete']);
    expect(handling.provider.calls).toHaveLength(2);
    expect(outcomeOf(records).cost?.calls).toMatchObject([
      { attempt: 1, disposition: 'ORPHANED' },
      { attempt: 2, disposition: 'ACCEPTED' },
    ]);
  });

  it('ends the call that runs under it, and waits for the new owner’s outcome', async () => {
    const handling = new Handling(new FakeProvider({ steps: [said('Hello wo'), 'silence'] }, {}));
    const silent = Promise.withResolvers<void>();
    handling.provider.onSilence = silent.resolve;
    const running = handling.handle(handling.record());
    await silent.promise;
    await handling.claims.verify();
    expect(handling.provider.signals[0]?.aborted).toBe(false);

    const row = handling.ledger.rows.get('default request-1');
    if (row !== undefined) row.claim = { token: 'theirs', owner: 'worker-2', at: new Date(0) };
    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    await handling.claims.verify();
    expect(handling.provider.signals[0]?.aborted).toBe(true);
    const { records } = await running;
    expect(outcomeOf(records)).toMatchObject({
      response: { status: 'COMPLETED', acceptedAttempt: 2 },
      cost: { calls: [{ disposition: 'ORPHANED' }, { disposition: 'ACCEPTED' }] },
    });
  });
});

describe('a worker that dies in the middle of an answer', () => {
  it('leaves its progress in the ledger, and the worker that takes over bills it', async () => {
    const handling = new Handling();
    const steps = [said('Hello wo'), 'silence'] as const;
    const other = new Handling(new FakeProvider({ steps }), { ledger: handling.ledger });
    const progress = new ProgressReporter(handling.ledger, 2_147_483_647);
    Object.assign(other.options, { progress });
    other.lease.workerId = 'worker-2';
    const silent = Promise.withResolvers<void>();
    other.provider.onSilence = silent.resolve;
    const record = handling.record();
    void other.handle(record);
    await silent.promise;
    await progress.report();

    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    const { records } = await handling.handle(record);
    expect(outcomeOf(records).cost?.calls[0]).toMatchObject({
      disposition: 'ORPHANED',
      usage: { inputTokens: 13, outputTokens: 2, confidence: 'PARTIAL' },
    });
  });
});
