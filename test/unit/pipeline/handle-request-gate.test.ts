import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure } from '../../../src/domain/chat-failure.ts';
import type { Permit } from '../../../src/pipeline/key-gate.ts';
import type { ProviderGate } from '../../../src/pipeline/provider-gate.ts';
import { FakeProvider } from '../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { openGate } from '../../support/fakes/open-gate.ts';
import { turn } from '../../support/fakes/turn.ts';

const key = { provider: 'openai', account: 'acme-project', model: 'gpt-4' };
const away = () => new ChatFailure('provider_unavailable', 'away', true);
const draining = new Error('the service begins to stop');

/** A call of somebody else. */
function call(gate: ProviderGate): Permit {
  const permit = gate.tryEnter(key, 1);
  if (permit === null) throw new Error('the gate is not free');
  permit.begin();
  return permit;
}

let handling: Handling;
let gate: ProviderGate;
/** A call of somebody else that is under way. */
let early: Permit;
let drain: AbortController;
/** What the scheduler was told. */
let places: string[];

function setUp(provider = new FakeProvider(), outage: 'wait' | 'fail' = 'wait'): void {
  drain = new AbortController();
  places = [];
  handling = new Handling(provider);
  gate = openGate(handling.clock, { outage });
  early = call(gate);
  const park = () => {
    places.push('parked');
    return async (atOnce: boolean) => {
      places.push(atOnce ? 'ends' : 'goes on');
    };
  };
  Object.assign(handling.options, { gate, park, draining: drain.signal });
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
    expect(places).toEqual(['parked']);
    comeBack();
    expect(outcomeOf((await handled).records).response).toMatchObject({ status: 'COMPLETED', attempts: 1 });
    expect(places).toEqual(['parked', 'goes on']);
  });

  it('waits the same without a limit of its answer', async () => {
    goAway();
    const handled = handling.handle(handling.record({ maxOutputTokens: 0 }));
    await turn();
    expect(gate.states()).toMatchObject([{ waiting: 1 }]);
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
    expect(places).toEqual(['parked', 'ends']);
  });

  it('waits no longer when the service begins to stop, and leaves the ledger untouched', async () => {
    goAway();
    const handled = handling.handle(handling.record());
    await turn();
    drain.abort(draining);
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
    expect(gate.states()).toMatchObject([{ breaker: 'open', waiting: 0 }]);
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
    while (places.length === 0) await turn();
    expect(handling.attempts()).toHaveLength(3);
    vi.advanceTimersByTime(20_000);
    comeBack();
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
    expect(places).toEqual(['parked', 'goes on']);
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
    while (places.length === 0) await turn();
    drain.abort(draining);
    await expect(handled).rejects.toBe(draining);
    const row = handling.ledger.rows.get('default request-1');
    expect(row?.claim ?? null).toBeNull();
    expect(handling.ledger.writes.at(-1)).toBe('release');
  });
});
