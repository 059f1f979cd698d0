import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure } from '../../../src/domain/chat-failure.ts';
import type { Admission } from '../../../src/pipeline/admission.ts';
import type { Permit } from '../../../src/pipeline/permit.ts';
import { admissionOf, callTo } from '../../support/fakes/admission.ts';
import { FakeProvider } from '../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

const key = {
  ...callTo('gpt-4', 1),
  provider: { name: 'openai', account: 'acme-project' },
};
const away = () => new ChatFailure('provider_unavailable', 'away', true);
const draining = new Error('the service begins to stop');

/** A call of somebody else. */
function call(of: Admission): Permit {
  const permit = of.tryEnter(key);
  if (permit === null) throw new Error('the gate is not free');
  permit.begin();
  return permit;
}

let handling: Handling;
let gate: Admission;
/** A call of somebody else that is under way. */
let early: Permit;

function setUp(provider = new FakeProvider(), outage: 'wait' | 'fail' = 'wait'): void {
  handling = new Handling(provider);
  gate = admissionOf(handling.clock, { outage });
  early = call(gate);
  Object.assign(handling.options, { admission: gate });
}

function goAway(): void {
  for (let count = 0; count < 3; count += 1) call(gate).failed(away());
}

/** A call that was made before gets its answer after all. */
function comeBack(): void {
  early.answered(null);
}

describe('a request whose provider is away', () => {
  beforeEach(() => setUp());

  it('waits without a claim and without a place, and is called once when it is back', async () => {
    goAway();
    const handled = handling.handle(handling.record());
    await turn();
    expect(handling.ledger.writes).toEqual([]);
    expect(gate.counts).toMatchObject({ running: 0, parked: 1 });
    comeBack();
    expect(outcomeOf((await handled).records).response).toMatchObject({ status: 'COMPLETED', attempts: 1 });
    await turn();
    expect(gate.counts).toMatchObject({ running: 0, parked: 0 });
  });

  it('waits the same without a limit of its answer', async () => {
    goAway();
    const handled = handling.handle(handling.record({ maxOutputTokens: 0 }));
    await turn();
    expect(gate.gateStates()).toMatchObject([{ waiting: 1 }]);
    comeBack();
    expect((await handled).status).toBe('COMPLETED');
  });

  it('waits until its deadline, and nothing was used', async () => {
    goAway();
    const handled = await handling.handle(handling.record({ deadline: handling.clock.now() + 20 }));
    expect(outcomeOf(handled.records).response).toMatchObject({
      attempts: 0,
      costStatus: 'NONE',
      error: { code: 'deadline_exceeded', message: expect.stringContaining('before a call was made') },
    });
    await turn();
    expect(gate.counts).toMatchObject({ running: 0, parked: 0 });
  });

  it('waits no longer when the service begins to stop, and leaves the ledger untouched', async () => {
    goAway();
    const handled = handling.handle(handling.record());
    await turn();
    gate.drain(draining);
    await expect(handled).rejects.toBe(draining);
    expect(handling.ledger.writes).toEqual([]);
  });

  it('fails at once where that is configured, without a call', async () => {
    setUp(new FakeProvider(), 'fail');
    goAway();
    const { records, code } = await handling.handle(handling.record());
    expect(code).toBe('provider_unavailable');
    expect(outcomeOf(records).response).toMatchObject({ attempts: 0, costStatus: 'NONE' });
    expect(handling.provider.calls).toEqual([]);
  });

  it('is not in the way of others while another worker has it, and takes its turn afterwards', async () => {
    const other = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    other.lease.workerId = 'worker-2';
    const calling = Promise.withResolvers<void>();
    other.provider.onSilence = calling.resolve;
    const record = handling.record();
    const ended = other.handle(record).catch((error: unknown) => error);
    await calling.promise;
    goAway();
    handling.clock.advance(60_000);

    const handled = handling.handle(record);
    await turn();
    // The one permit that there was is free again.
    expect(gate.gateStates()).toMatchObject([{ breaker: 'open', waiting: 0 }]);
    call(gate).answered(null);
    other.stop.abort(new Error('the other one stops'));
    await ended;
    expect((await handled).status).toBe('COMPLETED');
  });

  it('may find its deadline passed when another worker gives it back', async () => {
    const other = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    other.lease.workerId = 'worker-2';
    const calling = Promise.withResolvers<void>();
    other.provider.onSilence = calling.resolve;
    const record = handling.record({ deadline: handling.clock.now() + 1_000 });
    const ended = other.handle(record).catch((error: unknown) => error);
    await calling.promise;
    const handled = handling.handle(record);
    await turn();
    goAway();
    other.stop.abort(new Error('the other one stops'));
    await ended;
    expect(await handled).toMatchObject({ code: 'deadline_exceeded' });
    expect(handling.provider.calls).toEqual([]);
  });
});

describe('calls that an outage turned away', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const refuses = { refuses: away() };

  it('use up no retries', async () => {
    const scripts = Array.from({ length: 12 }, () => refuses);
    const { records } = await new Handling(new FakeProvider(...scripts, {})).handle(handling.record());
    expect(outcomeOf(records).response).toMatchObject({
      status: 'COMPLETED',
      attempts: 13,
      acceptedAttempt: 13,
    });
  });

  it('have an end all the same', async () => {
    const { records } = await new Handling(new FakeProvider(refuses)).handle(handling.record());
    expect(outcomeOf(records).response).toMatchObject({ status: 'FAILED', attempts: 104 });
  });

  it('are made again when it is over, and nothing of it counts as time of the request', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    setUp(new FakeProvider(refuses, refuses, refuses, {}));
    Object.assign(handling.options, { requestTimeoutMs: 10_000 });
    const handled = handling.handle(handling.record());
    while (gate.counts.parked === 0) await turn();
    expect(handling.attempts()).toHaveLength(3);
    vi.advanceTimersByTime(20_000);
    comeBack();
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
    await turn();
    expect(gate.counts).toMatchObject({ running: 0, parked: 0 });
  });

  it('are the end when the deadline passes before it is over', async () => {
    setUp(new FakeProvider(refuses));
    const handled = handling.handle(handling.record({ deadline: handling.clock.now() + 50 }));
    expect(await handled).toMatchObject({ code: 'deadline_exceeded' });
    expect(handling.attempts()).toHaveLength(3);
  });

  it('leave a claim that is given back when the service begins to stop', async () => {
    setUp(new FakeProvider(refuses));
    const handled = handling.handle(handling.record());
    while (gate.counts.parked === 0) await turn();
    gate.drain(draining);
    await expect(handled).rejects.toBe(draining);
    const row = handling.ledger.rows.get('default request-1');
    expect(row?.claim ?? null).toBeNull();
    expect(handling.ledger.writes.at(-1)).toBe('release');
  });
});
