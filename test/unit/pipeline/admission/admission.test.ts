import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import type { Line } from '../../../../src/domain/queues/fair-queue.ts';
import type { Admission } from '../../../../src/pipeline/admission/admission.ts';
import type { Permit } from '../../../../src/pipeline/admission/permit.ts';
import { admissionOf, callTo, inSlot } from '../../../support/fakes/admission.ts';
import { FakeClock } from '../../../support/fakes/fake-clock.ts';
import { turn } from '../../../support/fakes/turn.ts';

const weights: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3 };
const weightOf = (tenant: string) => weights[tenant] ?? 1;
const unavailable = () => new ChatFailure('provider_unavailable', 'down', true);

let clock: FakeClock;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  clock = new FakeClock();
});
afterEach(() => {
  vi.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await vi.advanceTimersByTimeAsync(ms);
  await turn();
}

/** A request that asks for one permit and keeps it until the test ends it. */
class Asking {
  readonly name: string;
  readonly leaving = new AbortController();
  readonly ended: Promise<void>;
  permit: Permit | null = null;
  error: unknown = null;
  private readonly end = Promise.withResolvers<void>();

  constructor(admission: Admission, name: string, line: Line, model: string, order: string[] = []) {
    this.name = name;
    const limit = { deadline: null, signal: this.leaving.signal };
    this.ended = inSlot(
      admission,
      async (seat) => {
        try {
          this.permit = await admission.enter(seat, callTo(model), line, limit);
          order.push(name);
          await this.end.promise;
        } catch (error) {
          this.error = error;
        }
      },
      name.charAt(0),
    );
  }

  get isCalling(): boolean {
    return this.permit !== null;
  }

  finish(how: 'answered' | 'refused' | 'released'): void {
    if (how === 'released') this.permit?.release();
    else this.permit?.begin();
    if (how === 'answered') this.permit?.answered(null);
    else this.permit?.failed(how === 'refused' ? unavailable() : null);
    this.end.resolve();
  }
}

describe('Admission', () => {
  it('grants a permit together with a slot: a request without a slot holds no permit', async () => {
    const admission = admissionOf(clock, { maxRunning: 1 });
    for (let count = 0; count < 3; count += 1) {
      const permit = admission.tryEnter(callTo('gpt-4'));
      permit?.begin();
      permit?.failed(unavailable());
    }
    const first = new Asking(admission, 'a1', 'first', 'gpt-4');
    const busy = new Asking(admission, 'b1', 'first', 'gpt-5');
    await turn();
    expect([first.isCalling, busy.isCalling]).toEqual([false, true]);
    await pass(60_000);
    // Its deadline has passed and it has no slot: the only permit is free.
    expect(admission.gateStates()).toMatchObject([{ breaker: 'open', waiting: 1 }, {}]);
    busy.finish('answered');
    await turn();
    expect(first.isCalling).toBe(true);
    expect(admission.gateStates()).toMatchObject([{ breaker: 'half_open', waiting: 0 }, {}]);
  });

  it('respects weights and starves no tenant while calls have to wait, retries included', async () => {
    const admission = admissionOf(clock, { maxRunning: 1_000, weightOf });
    const order: string[] = [];
    const first = [1, 2, 3, 4].map((number) => new Asking(admission, `x${number}`, 'first', 'gpt-4'));
    await turn();
    expect(first.every(({ isCalling }) => isCalling)).toBe(true);
    for (let number = 0; number < 100; number += 1) {
      for (const tenant of ['a', 'b']) {
        new Asking(admission, `${tenant} first`, 'first', 'gpt-4', order);
        new Asking(admission, `${tenant} again`, 'again', 'gpt-4', order);
      }
    }
    new Asking(admission, 'quiet', 'first', 'gpt-4', order);
    // The provider's limits are unknown: one call every 250 ms.
    for (let number = 0; number < 60; number += 1) await pass(250);
    expect(order.indexOf('quiet')).toBeLessThanOrEqual(3);
    const count = (prefix: string) => order.filter((name) => name.startsWith(prefix)).length;
    expect(Math.abs(count('b') - 2 * count('a'))).toBeLessThanOrEqual(2);
    expect(Math.abs(count('a first') - count('a again'))).toBeLessThanOrEqual(1);
    expect(Math.abs(count('b first') - count('b again'))).toBeLessThanOrEqual(1);
  });

  it('takes an unused permit back when others wait for it', async () => {
    const admission = admissionOf(clock);
    const slow = [1, 2, 3, 4].map((number) => new Asking(admission, `a${number}`, 'first', 'gpt-4'));
    await turn();
    await pass(60_000);
    expect(slow.map(({ permit }) => permit?.isHeld)).toEqual([true, true, true, true]);
    const next = new Asking(admission, 'b1', 'first', 'gpt-4');
    for (let count = 0; count < 3; count += 1) await pass(250);
    expect(next.isCalling).toBe(true);
    const [oldest] = slow;
    oldest?.permit?.begin();
    oldest?.permit?.answered(null);
    expect(admission.gateStates()).toMatchObject([{ waiting: 0 }]);
  });

  it('takes an unused probe from a request that the ledger keeps waiting', async () => {
    const admission = admissionOf(clock);
    for (let count = 0; count < 3; count += 1) {
      const permit = admission.tryEnter(callTo('gpt-4'));
      permit?.begin();
      permit?.failed(unavailable());
    }
    await pass(1_000);
    const probe = admission.tryEnter(callTo('gpt-4'));
    expect(probe?.isProbe).toBe(true);
    const next = new Asking(admission, 'b1', 'first', 'gpt-4');
    await pass(1_999);
    expect([probe?.isHeld, next.isCalling]).toEqual([true, false]);
    await pass(1);
    expect([probe?.isHeld, next.isCalling]).toEqual([false, true]);
  });

  it('ends every wait when the service begins to stop', async () => {
    const admission = admissionOf(clock, { maxRunning: 2 });
    const calls = [1, 2, 3, 4, 5].map((number) => new Asking(admission, `a${number}`, 'first', 'gpt-4'));
    await turn();
    const stopped = new Error('the service is stopping');
    admission.drain(stopped);
    await turn();
    for (const call of calls) call.finish('answered');
    for (let round = 0; round < 10; round += 1) await turn();
    expect(admission.counts).toEqual({ running: 0, parked: 0, waiting: 0 });
  });

  it('loses no slot and no permit in any order of events', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('ask' as const),
        tenant: fc.constantFrom('a', 'b', 'c'),
        line: fc.constantFrom<Line>('first', 'again'),
        model: fc.constantFrom('gpt-4', 'gpt-5'),
      }),
      fc.record({
        kind: fc.constant('finish' as const),
        pick: fc.nat(),
        how: fc.constantFrom('answered' as const, 'refused' as const, 'released' as const),
      }),
      fc.record({ kind: fc.constant('leave' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
    );
    const limits = fc.integer({ min: 1, max: 5 });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 50 }), async (maxRunning, steps) => {
        const admission = admissionOf(clock, { maxRunning, weightOf });
        const asking = new Set<Asking>();
        const picked = (pick: number, isCalling: boolean) => {
          const all = [...asking].filter((one) => one.isCalling === isCalling && one.error === null);
          return all[pick % Math.max(1, all.length)];
        };
        for (const [index, one] of steps.entries()) {
          if (one.kind === 'ask') {
            asking.add(new Asking(admission, `${one.tenant}${index}`, one.line, one.model));
          } else if (one.kind === 'finish') {
            const call = picked(one.pick, true);
            call?.finish(one.how);
            if (call !== undefined) asking.delete(call);
          } else if (one.kind === 'leave') picked(one.pick, false)?.leaving.abort(new Error('it leaves'));
          else await pass(one.ms);
          await turn();
          const calling = [...asking].filter(({ isCalling }) => isCalling);
          expect(calling.length).toBeLessThanOrEqual(maxRunning);
          expect(admission.counts.running).toBe(calling.length);
        }
        // Every remaining request makes its call once the others have finished: no permit was lost.
        for (
          let round = 0;
          round < 400 && admission.counts.running + admission.counts.parked > 0;
          round += 1
        ) {
          for (const call of asking) if (call.isCalling) call.finish('answered');
          await pass(1_000);
        }
        expect(admission.counts).toEqual({ running: 0, parked: 0, waiting: 0 });
        expect([...asking].filter((one) => !one.isCalling && one.error === null)).toEqual([]);
        for (const state of admission.gateStates()) expect(state.waiting).toBe(0);
        for (const model of ['gpt-4', 'gpt-5']) expect(admission.tryEnter(callTo(model))).not.toBeNull();
      }),
      { numRuns: 60 },
    );
  });
});
