import { describe, expect, it } from 'vitest';
import { RecordClock } from '../../../../src/adapters/kafka/produce/record-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const BROKER_TIME = Date.UTC(2026, 5, 1);

/** A machine whose clock is wrong, and a broker with the limits of Kafka 4, or stricter ones. */
function bench(aheadMs: number, { beforeMs = Number.POSITIVE_INFINITY, afterMs = HOUR_MS } = {}) {
  const times = { wall: BROKER_TIME + aheadMs, monotonic: 5_000 };
  const clock = new RecordClock({ now: () => times.wall, monotonic: () => times.monotonic });
  const accepts = (time: number) => time - BROKER_TIME <= afterMs && BROKER_TIME - time <= beforeMs;
  const write = () => {
    let refusals = 0;
    for (; !accepts(clock.now()) && refusals < 5_000; refusals += 1) clock.refused(clock.correctionMs());
    return refusals;
  };
  return { times, clock, write };
}

describe('the time of records', () => {
  it('is the machine’s time while no broker refuses it', () => {
    const { clock, write } = bench(59 * MINUTE_MS);
    expect(write()).toBe(0);
    expect(clock.now()).toBe(BROKER_TIME + 59 * MINUTE_MS);
  });

  it.each([
    [70 * MINUTE_MS, {}, 1],
    [3 * HOUR_MS, {}, 5],
    [30 * 24 * HOUR_MS, {}, 30],
    [365 * 24 * HOUR_MS, {}, 40],
    [-70 * MINUTE_MS, { beforeMs: HOUR_MS }, 2],
    // Both limits, with no doubled step between them.
    [-10 * HOUR_MS, { beforeMs: HOUR_MS }, 80],
    [-30 * 24 * HOUR_MS, { beforeMs: HOUR_MS }, 3_000],
  ])('is accepted by brokers when the clock is %i ms ahead', (aheadMs, limits, most) => {
    const { write } = bench(aheadMs, limits);
    expect(write()).toBeLessThanOrEqual(most);
    // The correction stays.
    expect(write()).toBe(0);
  });

  it('is corrected once for all records that were refused with the same correction', () => {
    const { clock } = bench(70 * MINUTE_MS);
    for (let times = 0; times < 5; times += 1) clock.refused(0);
    expect(clock.correctionMs()).toBe(-30 * MINUTE_MS);
  });

  it('is the machine’s time again once its clock was set', () => {
    const { times, clock, write } = bench(70 * MINUTE_MS);
    write();
    times.wall += 10_000;
    times.monotonic += 10_000;
    expect(clock.correctionMs()).toBe(-30 * MINUTE_MS);
    times.wall = BROKER_TIME;
    expect(clock.now()).toBe(BROKER_TIME);
  });
});
