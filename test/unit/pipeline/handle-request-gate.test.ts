import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import type { Admission } from '../../../src/pipeline/admission/admission.ts';
import type { Permit } from '../../../src/pipeline/admission/permit.ts';
import { admissionOf, callTo } from '../../support/fakes/admission.ts';
import { FakeProvider } from '../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

const key = {
  ...callTo('gpt-4', 1),
  provider: { name: 'openai', account: 'acme-project' },
};
const unavailable = () => new ChatFailure('provider_unavailable', 'down', true);
const draining = new Error('the service begins to stop');

/** A call of another request. */
function call(of: Admission): Permit {
  const permit = of.tryEnter(key);
  if (permit === null) throw new Error('the gate is not free');
  permit.begin();
  return permit;
}

let handling: Handling;
let gate: Admission;
/** A call of another request that is in flight. */
let early: Permit;

function setUp(provider = new FakeProvider(), outage: 'wait' | 'fail' = 'wait'): void {
  handling = new Handling(provider);
  gate = admissionOf(handling.clock, { outage });
  early = call(gate);
  Object.assign(handling.options, { admission: gate });
}

function startOutage(): void {
  for (let count = 0; count < 3; count += 1) call(gate).failed(unavailable());
}

/** A call from before the outage gets its answer. */
function endOutage(): void {
  early.answered(null);
}

describe('a request whose provider is unavailable', () => {
  beforeEach(() => setUp());

  it('waits without a claim or a slot, and is called once after the outage', async () => {
    startOutage();
    const handled = handling.handle(handling.record());
    await turn();
    expect(handling.ledger.writes).toEqual([]);
    expect(gate.counts).toMatchObject({ running: 0, parked: 1 });
    endOutage();
    expect(outcomeOf((await handled).records).response).toMatchObject({ status: 'COMPLETED', attempts: 1 });
    await turn();
    expect(gate.counts).toMatchObject({ running: 0, parked: 0 });
  });

  it('also waits when its answer has no limit', async () => {
    startOutage();
    const handled = handling.handle(handling.record({ maxOutputTokens: 0 }));
    await turn();
    expect(gate.gateStates()).toMatchObject([{ waiting: 1 }]);
    endOutage();
    expect((await handled).status).toBe('COMPLETED');
  });

  it('waits until its deadline, and uses nothing', async () => {
    startOutage();
    const handled = await handling.handle(handling.record({ deadline: handling.clock.now() + 20 }));
    expect(outcomeOf(handled.records).response).toMatchObject({
      attempts: 0,
      costStatus: 'NONE',
      error: { code: 'deadline_exceeded', message: expect.stringContaining('before a call was made') },
    });
    await turn();
    expect(gate.counts).toMatchObject({ running: 0, parked: 0 });
  });

  it('stops waiting when the service begins to stop, and leaves the ledger untouched', async () => {
    startOutage();
    const handled = handling.handle(handling.record());
    await turn();
    gate.drain(draining);
    await expect(handled).rejects.toBe(draining);
    expect(handling.ledger.writes).toEqual([]);
  });

  it('fails at once without a call if so configured', async () => {
    setUp(new FakeProvider(), 'fail');
    startOutage();
    const { records, code } = await handling.handle(handling.record());
    expect(code).toBe('provider_unavailable');
    expect(outcomeOf(records).response).toMatchObject({ attempts: 0, costStatus: 'NONE' });
    expect(handling.provider.calls).toEqual([]);
  });

  it('does not block others while another worker has it, and takes its turn afterwards', async () => {
    const other = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    other.lease.workerId = 'worker-2';
    const calling = Promise.withResolvers<void>();
    other.provider.onSilence = calling.resolve;
    const record = handling.record();
    const ended = other.handle(record).catch((error: unknown) => error);
    await calling.promise;
    startOutage();
    handling.clock.advance(60_000);

    const handled = handling.handle(record);
    await turn();
    // The only permit is free again.
    expect(gate.gateStates()).toMatchObject([{ breaker: 'open', waiting: 0 }]);
    call(gate).answered(null);
    other.stop.abort(new Error('the other one stops'));
    await ended;
    expect((await handled).status).toBe('COMPLETED');
  });

  it('fails at its deadline when another worker releases it too late', async () => {
    const other = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
    other.lease.workerId = 'worker-2';
    const calling = Promise.withResolvers<void>();
    other.provider.onSilence = calling.resolve;
    const record = handling.record({ deadline: handling.clock.now() + 1_000 });
    const ended = other.handle(record).catch((error: unknown) => error);
    await calling.promise;
    const handled = handling.handle(record);
    await turn();
    startOutage();
    other.stop.abort(new Error('the other one stops'));
    await ended;
    expect(await handled).toMatchObject({ code: 'deadline_exceeded' });
    expect(handling.provider.calls).toEqual([]);
  });
});

describe('calls that fail because of an outage', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const refuses = { refuses: unavailable() };

  it('use up no retries', async () => {
    const scripts = Array.from({ length: 12 }, () => refuses);
    const { records } = await new Handling(new FakeProvider(...scripts, {})).handle(handling.record());
    expect(outcomeOf(records).response).toMatchObject({
      status: 'COMPLETED',
      attempts: 13,
      acceptedAttempt: 13,
    });
  });

  it('end at a limit nevertheless', async () => {
    const { records } = await new Handling(new FakeProvider(refuses)).handle(handling.record());
    expect(outcomeOf(records).response).toMatchObject({ status: 'FAILED', attempts: 104 });
  });

  it('are retried after the outage, which does not count as time of the request', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    setUp(new FakeProvider(refuses, refuses, refuses, {}));
    Object.assign(handling.options, { requestTimeoutMs: 10_000 });
    const handled = handling.handle(handling.record());
    while (gate.counts.parked === 0) await turn();
    expect(handling.attempts()).toHaveLength(3);
    vi.advanceTimersByTime(20_000);
    endOutage();
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
    await turn();
    expect(gate.counts).toMatchObject({ running: 0, parked: 0 });
  });

  it('end the request when its deadline passes during the outage', async () => {
    setUp(new FakeProvider(refuses));
    const handled = handling.handle(handling.record({ deadline: handling.clock.now() + 50 }));
    expect(await handled).toMatchObject({ code: 'deadline_exceeded' });
    expect(handling.attempts()).toHaveLength(3);
  });

  it('release the claim when the service begins to stop', async () => {
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
