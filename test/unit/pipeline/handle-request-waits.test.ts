import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Budget } from '../../../src/domain/cost/budget.ts';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import type { Admission } from '../../../src/pipeline/admission/admission.ts';
import { handleUntilEnded } from '../../../src/pipeline/handling/handle-until-ended.ts';
import type { MemoryBudget } from '../../../src/pipeline/intake/memory-budget.ts';
import { StoreUnavailable } from '../../../src/ports/ledger.ts';
import { admissionOf, callTo, hurry, inSlot } from '../../support/fakes/admission.ts';
import { type CallScript, FakeProvider } from '../../support/fakes/fake-provider.ts';
import { Handling, type HandlingParts } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

/** The one slot of these tests, for two requests. */
let admission: Admission;
let waits: Handling;

function handling(overrides: Partial<HandlingParts> = {}, ...scripts: CallScript[]): Handling {
  return new Handling(new FakeProvider(...scripts), { admission, ...overrides });
}

/** Another request, of another model, that needs the slot from beginning to end. */
async function expectSlotFree(): Promise<void> {
  const other = handling();
  expect(await other.handle(other.record({ model: 'another-model' }))).toMatchObject({ status: 'COMPLETED' });
}

async function untilParked(): Promise<void> {
  await vi.waitUntil(() => admission.counts.parked > 0, { interval: 1 });
}

/** The gate before the requests that wait. */
const gateKey = { ...callTo('gpt-4'), provider: { name: 'openai', account: 'acme-project' } };

/** A call of another request that fills memory until the call ends. */
function fill(memory: MemoryBudget) {
  const large = memory.open(900_000_000);
  void large.begin();
  return large;
}

beforeEach(() => {
  admission = admissionOf(hurry(), { maxRunning: 1 });
});

describe('a request releases its slot', () => {
  it('during the backoff before a retry', async () => {
    waits = handling({}, { refuses: new ChatFailure('timeout', 'slow', true, { retryAfterMs: 40_000 }) });
    const handled = waits.handle(waits.record());
    await untilParked();
    await expectSlotFree();
    waits.stop.abort(new Error('enough'));
    await expect(handled).rejects.toThrow('enough');
    expect(waits.ledger.rows.get('default request-1')?.claim ?? null).toBeNull();
  });

  it('while the provider asks to wait', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { clock } = handling();
    admission = admissionOf(clock, { maxRunning: 1 });
    const permit = admission.tryEnter(gateKey);
    permit?.begin();
    permit?.failed(new ChatFailure('rate_limited', 'slow down', true, { retryAfterMs: 30_000 }));
    waits = handling();
    const handled = waits.handle(waits.record());
    while (admission.counts.parked === 0) await turn();
    await expectSlotFree();
    clock.advance(30_000);
    vi.advanceTimersByTime(30_000);
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
  });

  it('while another worker has its claim', async () => {
    const owner = handling({ admission: admissionOf(hurry()) }, { neverBegins: true });
    const calling = Promise.withResolvers<void>();
    owner.provider.onSilence = calling.resolve;
    owner.lease.workerId = 'worker-2';
    const record = owner.record();
    const owned = owner.handle(record).catch((error: unknown) => error);
    await calling.promise;
    waits = handling({ ledger: owner.ledger });
    const handled = waits.handle(record);
    await untilParked();
    await expectSlotFree();
    owner.stop.abort(new Error('the other one stops'));
    await owned;
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
  });

  it('while there is no memory for its answer, and no permit either', async () => {
    waits = handling();
    for (let count = 0; count < 3; count += 1) {
      const permit = admission.tryEnter(gateKey);
      permit?.begin();
      permit?.failed(new ChatFailure('provider_unavailable', 'away', true));
    }
    const large = fill(waits.memory);
    const handled = waits.handle(waits.record());
    await untilParked();
    // Other requests can take the one probe of the provider.
    expect(admission.gateStates()[0]).toMatchObject({ breaker: 'open', waiting: 0 });
    await expectSlotFree();
    large.close();
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
  });

  it('while it waits after the service failed on it', async () => {
    waits = handling();
    const failing = Promise.withResolvers<void>();
    waits.ledger.before = () => {
      failing.resolve();
      throw new StoreUnavailable('the database refuses everything');
    };
    const ended = inSlot(admission, (seat) =>
      handleUntilEnded(waits.job(waits.record(), { seat }), waits.handler, waits.stop.signal),
    );
    await failing.promise;
    await untilParked();
    await expectSlotFree();
    admission.drain(new Error('the service is stopping'));
    expect(await ended).toBeNull();
  });
});

describe('a request that waits', () => {
  it('for a retry ends at once when the service begins to stop, and its claim is released', async () => {
    waits = handling({}, { refuses: new ChatFailure('timeout', 'slow', true, { retryAfterMs: 40_000 }) });
    const handled = waits.handle(waits.record());
    await untilParked();
    const stopped = new Error('the service is stopping');
    admission.drain(stopped);
    await expect(handled).rejects.toBe(stopped);
    expect(waits.ledger.rows.get('default request-1')?.claim ?? null).toBeNull();
  });

  it('for a slot ends when its deadline passes', async () => {
    admission = admissionOf(handling().clock, { maxRunning: 1 });
    waits = handling();
    const large = fill(waits.memory);
    const deadline = waits.clock.now() + 200;
    const handled = waits.handle(waits.record({ deadline }));
    await untilParked();
    const busy = Promise.withResolvers<void>();
    void inSlot(admission, () => busy.promise);
    large.close();
    await turn();
    expect(admission.counts).toMatchObject({ running: 1, parked: 1 });
    expect(await handled).toMatchObject({ code: 'deadline_exceeded' });
    expect(waits.provider.calls).toEqual([]);
    busy.resolve();
  });

  it('for its budget releases the permit to others after a while, and is called with another one', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { clock } = handling();
    admission = admissionOf(clock, { maxRunning: 5 });
    waits = handling();
    waits.budgets.budgets.push({ amount: '100', currency: 'USD', window: 'day' } as unknown as Budget);
    const answer = Promise.withResolvers<null>();
    const asked = Promise.withResolvers<void>();
    waits.budgets.reserve = () => {
      asked.resolve();
      return answer.promise;
    };
    for (let count = 0; count < 3; count += 1) {
      const permit = admission.tryEnter(gateKey);
      permit?.begin();
      permit?.failed(new ChatFailure('provider_unavailable', 'away', true));
    }
    clock.advance(1_000);
    const handled = waits.handle(waits.record());
    await asked.promise;
    const other = handling();
    const handledToo = other.handle(other.record());
    while (admission.counts.parked === 0) await turn();
    expect(admission.gateStates()).toMatchObject([{ breaker: 'half_open', waiting: 1 }]);
    clock.advance(2_000);
    vi.advanceTimersByTime(2_000);
    expect(await handledToo).toMatchObject({ status: 'COMPLETED' });
    answer.resolve(null);
    expect(await handled).toMatchObject({ status: 'COMPLETED' });
  });
});

afterEach(() => {
  vi.useRealTimers();
});
