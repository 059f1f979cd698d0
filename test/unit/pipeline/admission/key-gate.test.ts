import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure, type ErrorCode } from '../../../../src/domain/failures/chat-failure.ts';
import type { Line } from '../../../../src/domain/queues/fair-queue.ts';
import type { Admission, AdmissionOptions } from '../../../../src/pipeline/admission/admission.ts';
import type { Permit } from '../../../../src/pipeline/admission/permit.ts';
import type { Logger } from '../../../../src/runtime/logger.ts';
import { admissionOf, callTo, inSlot } from '../../../support/fakes/admission.ts';
import { FakeClock } from '../../../support/fakes/fake-clock.ts';

const never = new AbortController().signal;
const failureOf = (code: ErrorCode, retryAfterMs: number | null = null, httpStatus: number | null = null) =>
  new ChatFailure(code, code, true, { retryAfterMs, httpStatus });

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

function take(gate: Admission, tokens = 10): Permit {
  const permit = gate.tryEnter(callTo('gpt-4', tokens));
  if (permit === null) throw new Error('the gate is not free');
  permit.begin();
  return permit;
}

/** A gate before a provider that has answered without reporting limits. */
function known(options: Partial<AdmissionOptions> = {}): Admission {
  const gate = admissionOf(clock, options);
  take(gate).answered(null);
  return gate;
}

/** A gate whose breaker has opened: the next call may go after 500 ms. */
function duringOutage(options: Partial<AdmissionOptions> = {}): Admission {
  const gate = known(options);
  for (let count = 0; count < 3; count += 1) take(gate).failed(failureOf('provider_unavailable'));
  return gate;
}

/** Enters, and records the name when admitted or the error. */
function line(gate: Admission) {
  const seen: unknown[] = [];
  const permits: Permit[] = [];
  const enter = (name: string, of: Line = 'first', signal: AbortSignal = never, tenant = 'default') =>
    void inSlot(
      gate,
      (seat) => gate.enter(seat, callTo('gpt-4'), of, { deadline: null, signal }),
      tenant,
    ).then(
      (permit) => {
        permit.begin();
        permits.push(permit);
        seen.push(name);
      },
      (error: unknown) => seen.push(error),
    );
  return { seen, permits, enter };
}

describe('a gate', () => {
  it('admits everything once a provider has answered without reporting limits', () => {
    const gate = known();
    for (let count = 0; count < 1_000; count += 1) take(gate);
    expect(gate.gateStates()).toMatchObject([
      { waiting: 0, breaker: 'closed', requests: null, tokens: null },
    ]);
  });

  it('admits a few calls to a provider with unknown limits, and one more at intervals', async () => {
    const gate = admissionOf(clock);
    const first = [1, 2, 3, 4].map(() => take(gate));
    const { seen, enter } = line(gate);
    for (const name of ['a', 'b', 'c']) enter(name);
    await turn();
    expect(seen).toEqual([]);
    await pass(250);
    expect(seen).toEqual(['a']);
    first[0]?.answered(null);
    await turn();
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('keeps arrival order among first calls and among retries, which take turns', async () => {
    const waited: number[] = [];
    const gate = known({ onWaited: (_key, ms) => waited.push(ms) });
    take(gate).failed(failureOf('rate_limited', 2_000));
    const { seen, enter } = line(gate);
    for (const name of ['first', 'second', 'third']) enter(name);
    for (const name of ['retry', 'its retry', 'the last retry']) enter(name, 'again');
    expect(gate.tryEnter(callTo('gpt-4'))).toBeNull();
    expect(gate.gateStates()).toMatchObject([{ waiting: 6 }]);
    for (let seconds = 0; seconds < 60; seconds += 1) await pass(1_000);
    expect(seen).toEqual(['first', 'retry', 'second', 'its retry', 'third', 'the last retry']);
    expect(waited[0]).toBeGreaterThanOrEqual(2_000);
  });

  it('ends a wait whose signal fires before or during it', async () => {
    const gate = duringOutage();
    const leaving = new AbortController();
    const { seen, enter } = line(gate);
    enter('gone', 'first', leaving.signal);
    enter('stays');
    leaving.abort('enough');
    leaving.abort('again');
    enter('too late', 'first', leaving.signal);
    await turn();
    expect(seen).toEqual(['enough', 'enough']);
    await pass(500);
    expect(seen).toEqual(['enough', 'enough', 'stays']);
    expect(gate.gateStates()).toMatchObject([{ waiting: 0 }]);
  });

  it('grants a released permit to the next waiter, once', async () => {
    const gate = duringOutage();
    await pass(500);
    const probe = gate.tryEnter(callTo('gpt-4'));
    const { seen, enter } = line(gate);
    enter('next');
    enter('after it');
    await turn();
    expect(seen).toEqual([]);
    probe?.release();
    probe?.release();
    await turn();
    expect(seen).toEqual(['next']);
  });

  it('does not take back the permit of a call that has begun', () => {
    const gate = known();
    const permit = take(gate);
    permit.release();
    permit.answered(null);
    expect(gate.gateStates()).toMatchObject([{ breaker: 'closed' }]);
  });

  it('keeps models separate, and forgets unused ones', () => {
    const gate = duringOutage();
    for (let count = 0; count < 1_500; count += 1) {
      const permit = gate.tryEnter(callTo(`model-${count}`));
      permit?.begin();
      permit?.answered(null);
    }
    expect(gate.gateStates().length).toBeLessThan(1_000);
    expect(gate.gateStates()).toContainEqual(expect.objectContaining({ model: 'gpt-4', breaker: 'open' }));
  });
});

describe('an outage', () => {
  it('holds calls back, probes with one at a time, and admits them gradually when it is over', async () => {
    const logged: unknown[] = [];
    const logger = { warn: (_fields: object, text: string) => logged.push(text) } as unknown as Logger;
    const gate = duringOutage({ logger });
    const { seen, permits, enter } = line(gate);
    for (let count = 0; count < 12; count += 1) enter(`${count}`);
    await pass(499);
    expect(seen).toEqual([]);
    await pass(1);
    expect(seen).toEqual(['0']);
    expect(permits[0]?.failed(failureOf('provider_unavailable'))).toBe(true);
    await pass(999);
    expect(seen).toEqual(['0']);
    await pass(1);
    expect(seen).toEqual(['0', '1']);
    permits[1]?.answered(null);
    await turn();
    expect(seen).toHaveLength(2 + 4);
    permits[2]?.answered(null);
    await turn();
    expect(seen).toHaveLength(2 + 4 + 2);
    expect(logged).toEqual(['provider unavailable; holding calls back', 'provider available again']);
  });

  it('admits everything again once enough calls were answered', async () => {
    const gate = duringOutage();
    await pass(500);
    take(gate).answered(null);
    for (let count = 0; count < 130; count += 1) take(gate).answered(null);
    for (let count = 0; count < 500; count += 1) take(gate);
  });

  it('ends with any response of the provider, even a refusal', async () => {
    const gate = duringOutage();
    await pass(500);
    expect(take(gate).failed(failureOf('invalid_request'))).toBe(false);
    expect(gate.gateStates()).toMatchObject([{ breaker: 'closed' }]);
  });

  it('begins with provider errors, not with redirects or conflicts', () => {
    const gate = known();
    for (const status of [301, 409, null]) take(gate).failed(failureOf('provider_error', null, status));
    expect(gate.gateStates()).toMatchObject([{ breaker: 'closed' }]);
    for (const status of [500, 501, 599]) take(gate).failed(failureOf('provider_error', null, status));
    expect(gate.gateStates()).toMatchObject([{ breaker: 'open' }]);
  });

  it('is neither ended nor prolonged by a call that was aborted or failed because of the service', async () => {
    const gate = duringOutage();
    await pass(500);
    take(gate).failed(null);
    expect(gate.gateStates()).toMatchObject([{ breaker: 'open' }]);
    take(gate).failed(failureOf('internal'));
    expect(gate.gateStates()).toMatchObject([{ breaker: 'open' }]);
    take(gate);
  });

  it('does not count a rejected call against the retry limit, but counts one that timed out or failed at the provider', () => {
    const gate = known();
    const calls = [1, 2, 3, 4, 5, 6].map(() => take(gate));
    const codes = [
      'provider_unavailable',
      'timeout',
      'provider_unavailable',
      'timeout',
      'provider_error',
    ] as const;
    const uncounted = codes.map((code, index) => calls[index]?.failed(failureOf(code, null, 500)));
    expect(uncounted).toEqual([false, false, true, false, false]);
    expect(calls[5]?.failed(null)).toBe(false);
  });

  it('does not begin with calls that were sent and not waited for: the provider may still work on them', async () => {
    const outwaited = () => new ChatFailure('timeout', 'slow', true, { outwaited: true });
    const gate = known();
    for (let failed = 0; failed < 10; failed += 1) take(gate).failed(outwaited());
    expect(gate.gateStates()).toMatchObject([{ breaker: 'closed' }]);
    const away = duringOutage();
    await pass(500);
    take(away).failed(outwaited());
    expect(away.gateStates()).toMatchObject([{ breaker: 'open' }]);
  });

  it('fails requests that must not wait, except for the probe', async () => {
    const gate = duringOutage({ outage: 'fail' });
    const { seen, enter } = line(gate);
    enter('one');
    await turn();
    expect(seen).toMatchObject([{ code: 'provider_unavailable', retryable: true }]);
    await pass(500);
    enter('probe');
    await turn();
    enter('another');
    await turn();
    expect(seen.slice(1)).toMatchObject(['probe', { code: 'provider_unavailable' }]);
  });

  it('keeps calling when outages are ignored', () => {
    const gate = known({ outage: 'ignore' });
    for (let failed = 0; failed < 10; failed += 1) {
      expect(take(gate).failed(failureOf('provider_unavailable'))).toBe(false);
    }
    expect(gate.gateStates()).toMatchObject([{ breaker: 'closed' }]);
  });

  it('fails waiting requests when it begins', async () => {
    const gate = known({ outage: 'fail' });
    const calls = [1, 2, 3].map(() => take(gate));
    take(gate).failed(failureOf('rate_limited', 60_000));
    const leaving = new AbortController();
    const { seen, enter } = line(gate);
    enter('left', 'first', leaving.signal);
    enter('waits');
    leaving.abort('enough');
    for (const call of calls) call.failed(failureOf('provider_unavailable'));
    await turn();
    expect(seen).toMatchObject(['enough', { code: 'provider_unavailable' }]);
    expect(gate.gateStates()).toMatchObject([{ waiting: 0 }]);
  });
});
