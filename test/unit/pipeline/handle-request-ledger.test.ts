import { describe, expect, it } from 'vitest';
import { ChatFailure } from '../../../src/domain/chat-failure.ts';
import type { HandlerOptions } from '../../../src/pipeline/handle-request.ts';
import { ProgressReporter } from '../../../src/pipeline/progress-reporter.ts';
import { type CallScript, FakeProvider, said } from '../../support/fakes/fake-provider.ts';
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

describe('a record that comes again', () => {
  it('is answered with the very same events, without another call', async () => {
    const handling = new Handling();
    const record = handling.record();
    const first = await handling.handle(record);
    handling.clock.advance(5_000);
    const second = await handling.handle(record);
    expect(second.records).toEqual(first.records);
    expect(second).toMatchObject({ inLedger: true, replayed: false });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('has nothing more to publish when its outcome is visible already', async () => {
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

  it('with another deadline and other labels is still the same', async () => {
    const handling = new Handling();
    await handling.handle(handling.record());
    const deadline = handling.clock.now() + 60_000;
    const { replayed } = await handling.handle(handling.record({ deadline, labels: { try: '2' } }));
    expect(replayed).toBe(true);
  });

  it('with another body is refused, naming the id, and the first one stands', async () => {
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

describe('a request that another worker has', () => {
  it('waits while that worker beats, and takes its outcome from the ledger', async () => {
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
    row.claim = null;
    row.outcome = outcome;
    // Its owner beats: the ledger is looked at again.
    handling.lease.watches[0]?.verdict.resolve(false);
    const { records } = await waiting;
    expect(outcomeOf(records).response?.status).toBe('COMPLETED');
    expect(handling.provider.calls).toHaveLength(0);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('takes over from a worker that it has seen dead, and bills that one’s call as an orphan', async () => {
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
    // The dead one comes back: whatever it does, it does not get its claim back.
    other.stop.abort(new Error('stopped'));
    await ended;
    expect(handling.ledger.rows.get('default request-1')?.outcome).not.toBeNull();
    expect(handling.attempts()).toMatchObject([{ disposition: 'ORPHANED' }, { disposition: 'ACCEPTED' }]);
  });

  it('is looked at again and again, under one watch, for as long as nobody knows whether its worker lives', async () => {
    const handling = new Handling();
    const { record, other, ended } = await heldByAnother(handling);
    const looks = Promise.withResolvers<void>();
    const before = handling.ledger.writes.length;
    handling.ledger.before = () => {
      if (handling.ledger.writes.length === before + 2) looks.resolve();
    };
    const waiting = handling.handle(record);
    await looks.promise;
    await turn();
    expect(handling.lease.watches).toHaveLength(1);
    handling.stop.abort(new Error('the service is stopping'));
    await expect(waiting).rejects.toThrow('the service is stopping');
    // Nobody watches any more.
    expect(handling.lease.watches[0]?.signal.aborted).toBe(true);
    other.stop.abort(new Error('stopped'));
    await ended;
  });

  it('has its time taken after the lease was waited for: the price is that of the call', async () => {
    const handling = new Handling();
    handling.lease.beforeHeld = () => handling.clock.advance(60_000);
    await handling.handle(handling.record());
    expect(handling.attempts()[0]?.startedAt).toBe(handling.clock.now());
  });
});

describe('a request that killed two workers', () => {
  /** A request whose workers have died so often. */
  async function handlingAfter(
    deaths: number,
    overrides: Partial<HandlerOptions> = {},
    ...script: CallScript[]
  ) {
    const handling = new Handling(new FakeProvider(...script), overrides);
    const record = handling.record();
    for (let death = 0; death < deaths; death += 1) {
      const worker = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
      worker.lease.workerId = `dead-${death}`;
      worker.lease.onWatch = ({ verdict }) => verdict.resolve(true);
      const calling = Promise.withResolvers<void>();
      worker.provider.onSilence = calling.resolve;
      void worker.handle(record);
      await calling.promise;
    }
    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    return { handling, record };
  }

  it.each([
    [1, []],
    [2, ['alone', 'called', 'released']],
  ])('is called alone: after %d dead workers, what happens is %j', async (deaths, expected) => {
    const told: string[] = [];
    const { handling, record } = await handlingAfter(deaths, {
      runAlone: async () => {
        told.push('alone');
        return () => {
          told.push(...handling.provider.calls.map(() => 'called'), 'released');
        };
      },
    });
    const { records } = await handling.handle(record);
    expect(outcomeOf(records).response?.status).toBe('COMPLETED');
    expect(told).toEqual(expected);
  });

  it('lets the others go on when it fails', async () => {
    let released = 0;
    const runAlone = async () => () => {
      released += 1;
    };
    const { handling, record } = await handlingAfter(2, { runAlone }, { refuses: new TypeError('a bug') });
    await expect(handling.handle(record)).rejects.toThrow('a bug');
    expect(released).toBe(1);
  });

  it('does not wait to be alone when the service stops, and gives way when it is let alone after that', async () => {
    let released = 0;
    const asked = Promise.withResolvers<void>();
    const granted = Promise.withResolvers<() => void>();
    const runAlone = () => {
      asked.resolve();
      return granted.promise;
    };
    const { handling, record } = await handlingAfter(2, { runAlone });
    const stopped = new Error('the service is stopping');
    const running = handling.handle(record);
    await asked.promise;
    handling.stop.abort(stopped);
    await expect(running).rejects.toBe(stopped);
    expect(handling.provider.calls).toEqual([]);
    expect(handling.attempts().at(-1)).toMatchObject({ disposition: 'ABORTED', usage: null });
    granted.resolve(() => {
      released += 1;
    });
    await turn();
    expect(released).toBe(1);
  });
});

describe('a request that killed three workers', () => {
  it('ends as poison with the cost of the lost calls and a dead letter, without another call', async () => {
    const handling = new Handling();
    const record = handling.record({}, { headers: { mood: 'fine' } });
    const owners = ['worker-2', 'worker-3', 'worker-4'];
    for (const [index, owner] of owners.entries()) {
      const claimed = handling.job(record);
      await handling.ledger.claim({
        identity,
        bodyHash: Buffer.from('same'),
        source: claimed.accepted.record,
        token: owner,
        owner,
        draft: {
          provider: 'openai',
          account: null,
          model: 'gpt-4',
          startedAt: handling.clock.now(),
          estimatedInputTokens: 1_000,
        },
        deadOwner: owners[index - 1] ?? null,
        now: handling.clock.now(),
      });
    }
    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    const handled = await handling.handle(record);

    expect(handled.code).toBe('poison');
    expect(outcomeOf(handled.records)).toMatchObject({
      response: { status: 'FAILED', error: { code: 'poison', retryable: false }, attempts: 3 },
      cost: { totalCost: '0.09', acceptedCost: null, calls: [{}, {}, { disposition: 'ORPHANED' }] },
      dead: {
        partition: 3,
        key: record.key,
        value: record.value,
        headers: { mood: 'fine', 'dead-code': 'poison', 'dead-offset': String(record.offset) },
      },
    });
    expect(handling.provider.calls).toHaveLength(0);

    // Delivered again before it was settled, the dead letter comes again; a repetition gets the failure alone.
    const again = await handling.handle(record);
    expect(again.records).toEqual(handled.records);
    const refused = outcomeOf(handled.recordsIfRefused());
    expect(refused.cost).toMatchObject({ totalCost: '0.09' });
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

  it('while the answer was written starts over from the claim', async () => {
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

  it('ends the call that runs under it, and the outcome of whoever took it is waited for', async () => {
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
  it('leaves behind how far it had come, and whoever takes over bills that', async () => {
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
