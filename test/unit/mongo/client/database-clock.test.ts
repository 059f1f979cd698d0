import { describe, expect, it } from 'vitest';
import { createDatabaseClock } from '../../../../src/adapters/mongo/client/database-clock.ts';

const SERVER_TIME = Date.UTC(2026, 0, 15, 12);

/** A machine whose wall clock is off by so much; `at` is its monotonic time. */
function machine(wrongByMs: number) {
  const state = { at: 1_000, wrongByMs };
  const trueTime = () => SERVER_TIME + state.at;
  const clock = { now: () => trueTime() + state.wrongByMs, monotonic: () => state.at };
  return { state, trueTime, clock: createDatabaseClock(clock) };
}

describe('the database’s clock', () => {
  it.each([70 * 60_000, -70 * 60_000])('corrects a wall clock that is off by %i ms', (wrongByMs) => {
    const { clock, trueTime, state } = machine(wrongByMs);
    clock.observe(trueTime(), state.at - 4, state.at + 6);
    expect(Math.abs(clock.now() - trueTime())).toBeLessThanOrEqual(7);
  });

  it('trusts a wall clock that no answer proves wrong', () => {
    const { clock, trueTime, state } = machine(30);
    clock.observe(trueTime(), state.at - 5_000, state.at + 5_000);
    expect(clock.now()).toBe(trueTime() + 30);
  });

  it('follows the monotonic clock: a jump of the wall clock changes nothing', () => {
    const { clock, trueTime, state } = machine(0);
    state.wrongByMs = 3_600_000;
    state.at += 500;
    expect(clock.now()).toBe(trueTime());
    expect(clock.monotonic()).toBe(state.at);
  });
});
