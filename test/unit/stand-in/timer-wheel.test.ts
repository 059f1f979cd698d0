import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TimerWheel } from '../../support/stand-in/timer-wheel.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('runs tasks at their millisecond, in order, even beyond one round of the wheel', () => {
  const wheel = new TimerWheel();
  const ran: [string, number][] = [];
  const startedAt = performance.now();
  const note = (name: string) => () => ran.push([name, performance.now() - startedAt]);
  wheel.after(10_000, note('far'));
  wheel.after(30, note('late'));
  wheel.after(5, note('early'));
  wheel.after(0, note('now'));
  vi.advanceTimersByTime(20_000);
  expect(ran.map(([name]) => name)).toEqual(['now', 'early', 'late', 'far']);
  for (const [index, due] of [0, 5, 30, 10_000].entries()) {
    expect((ran[index]?.[1] ?? 0) - due).toBeGreaterThanOrEqual(0);
    expect((ran[index]?.[1] ?? 0) - due).toBeLessThanOrEqual(2);
  }
});

it('lets a task schedule itself again and keeps no timer when nothing waits', () => {
  const wheel = new TimerWheel();
  let runs = 0;
  const task = {
    dueTick: 0,
    run(nowMs: number) {
      runs += 1;
      if (runs < 50) wheel.schedule(task, nowMs + 7);
    },
  };
  wheel.schedule(task, performance.now());
  vi.advanceTimersByTime(1000);
  expect(runs).toBe(50);
  expect(vi.getTimerCount()).toBe(0);
});

it('loses no task when the process was blocked for longer than a round', () => {
  let now = 0;
  const wheel = new TimerWheel(() => now);
  const ran: number[] = [];
  for (const delay of [1, 4000, 5000, 9000]) wheel.after(delay, () => ran.push(delay));
  now = 8000;
  vi.runOnlyPendingTimers();
  expect(ran.toSorted()).toEqual([1, 4000, 5000]);
  now = 9001;
  vi.runOnlyPendingTimers();
  expect(ran).toContain(9000);
});
