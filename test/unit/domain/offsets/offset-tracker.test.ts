import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeOffsetMap,
  deltaCapacity,
  encodeOffsetMap,
  MAP_MAX_CHARACTERS,
  type OffsetSnapshot,
} from '../../../../src/domain/offsets/offset-map.ts';
import { OffsetTracker } from '../../../../src/domain/offsets/offset-tracker.ts';

const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk';
const CAPACITY = deltaCapacity(CLUSTER);

function fresh(watermark = 0): OffsetTracker {
  return new OffsetTracker({ watermark, unsettled: [], next: watermark }, CAPACITY);
}

function settle(tracker: OffsetTracker, ...offsets: number[]): OffsetSnapshot {
  const snapshot = tracker.snapshotAfter(new Set(offsets));
  tracker.settled(offsets);
  return snapshot;
}

describe('OffsetTracker', () => {
  it('moves the watermark only over settled offsets', () => {
    const tracker = fresh(10);
    for (const offset of [10, 11, 12]) tracker.accept(offset);
    expect(settle(tracker, 11)).toEqual({ watermark: 10, unsettled: [10, 12], next: 13 });
    expect(tracker.watermark).toBe(10);
    expect(settle(tracker, 10)).toEqual({ watermark: 12, unsettled: [12], next: 13 });
    expect(tracker.watermark).toBe(12);
    expect(settle(tracker, 12)).toEqual({ watermark: 13, unsettled: [], next: 13 });
    expect(tracker.watermark).toBe(13);
  });

  it('lists its unsettled offsets', () => {
    const tracker = fresh();
    tracker.accept(0);
    tracker.accept(1);
    settle(tracker, 0);
    expect([tracker.isOpen(0), tracker.isOpen(1), tracker.isOpen(2)]).toEqual([false, true, false]);
    expect(tracker.openCount).toBe(1);
  });

  it('refuses an offset that it has already accepted', () => {
    const tracker = fresh(5);
    tracker.accept(7);
    expect(() => tracker.accept(7)).toThrow(/offset 7 was accepted before \(next is 8\)/);
  });

  it('counts offsets missing from the log as settled', () => {
    const tracker = fresh();
    tracker.skipTo(3);
    tracker.skipTo(2);
    expect(tracker.next).toBe(3);
    tracker.accept(8);
    expect(tracker.snapshotAfter(new Set())).toEqual({ watermark: 8, unsettled: [8], next: 9 });
  });

  it('knows settled offsets from the map, and keeps those that it has not reached', () => {
    const tracker = new OffsetTracker({ watermark: 4, unsettled: [4, 7, 9], next: 11 }, CAPACITY);
    expect([3, 4, 5, 7, 8, 10, 11].map((offset) => tracker.wasSettledBefore(offset))).toEqual([
      true,
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
    tracker.accept(4);
    expect(settle(tracker, 4)).toEqual({ watermark: 7, unsettled: [7, 9], next: 11 });
  });

  it('accepts records of the map again when the map is full', () => {
    const unsettled = Array.from({ length: CAPACITY }, (_, index) => index);
    const tracker = new OffsetTracker({ watermark: 0, unsettled, next: CAPACITY }, CAPACITY);
    for (const offset of unsettled) {
      expect(tracker.hasRoomFor(offset)).toBe(true);
      tracker.accept(offset);
    }
    expect(tracker.hasRoomFor(CAPACITY)).toBe(false);
    settle(tracker, ...unsettled.slice(0, 20));
    expect(tracker.hasRoomFor(CAPACITY)).toBe(true);
  });

  it('has room for about 3,000 neighbours', () => {
    const tracker = fresh();
    let offset = 0;
    for (; tracker.hasRoomFor(offset); offset += 1) tracker.accept(offset);
    expect(offset).toBeGreaterThan(3_000);
  });

  it('always has room when nothing is unsettled, for any gap in the log', () => {
    const tracker = fresh();
    expect(tracker.hasRoomFor(2 ** 50)).toBe(true);
  });
});

/** One step of a lane. Numbers choose among the possible actions. */
type Step =
  | { readonly kind: 'accept'; readonly count: number; readonly gap: number }
  | { readonly kind: 'settle'; readonly picks: readonly number[]; readonly lost: boolean }
  | { readonly kind: 'skip'; readonly distance: number }
  | { readonly kind: 'crash' };

const distance = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 400 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 36 }) },
);

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('accept' as const),
        count: fc.integer({ min: 1, max: 30 }),
        gap: distance,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('settle' as const),
        picks: fc.array(fc.nat(), { maxLength: 12 }),
        lost: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), distance }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  ),
  { maxLength: 60 },
);

describe('OffsetTracker over crashes', () => {
  it('settles every record exactly once in any order of events, and its map always fits', () => {
    fc.assert(
      fc.property(fc.nat(1_000), steps, (begin, life) => {
        // The log: offsets that have a record. It grows as the tracker reads; gaps are permanent.
        const log: number[] = [];
        let logEnd = begin;
        const settledTimes = new Map<number, number>();
        let committed = { offset: begin, metadata: '' };
        let tracker = fresh(begin);
        const reopen = () => {
          const { offset, metadata } = committed;
          const start = decodeOffsetMap(metadata, CLUSTER, offset);
          tracker = new OffsetTracker(start ?? { watermark: offset, unsettled: [], next: offset }, CAPACITY);
        };
        const commit = (offsets: readonly number[], lost: boolean) => {
          const snapshot = tracker.snapshotAfter(new Set(offsets));
          const metadata = encodeOffsetMap(CLUSTER, null, snapshot);
          expect(metadata.length).toBeLessThanOrEqual(MAP_MAX_CHARACTERS);
          // A lost transaction changes nothing, and its lane reopens.
          if (lost) return reopen();
          for (const offset of offsets) settledTimes.set(offset, (settledTimes.get(offset) ?? 0) + 1);
          tracker.settled(offsets);
          committed = { offset: snapshot.watermark, metadata };
        };
        const open = () => log.filter((offset) => tracker.isOpen(offset));
        /** Feeds the records of the log from `next` on, as a lane does. */
        const feed = (most: number) => {
          for (const offset of log.filter((candidate) => candidate >= tracker.next).slice(0, most)) {
            if (tracker.wasSettledBefore(offset)) tracker.skipTo(offset + 1);
            else if (tracker.hasRoomFor(offset)) tracker.accept(offset);
            else return;
          }
        };
        for (const step of life) {
          if (step.kind === 'accept') {
            logEnd += step.gap;
            for (let index = 0; index < step.count; index += 1) log.push(logEnd++);
            feed(step.count);
          }
          if (step.kind === 'skip') {
            logEnd += step.distance;
            if (log.every((offset) => offset < tracker.next)) tracker.skipTo(logEnd);
          }
          if (step.kind === 'settle') {
            const candidates = open();
            const chosen = step.picks.flatMap((pick) => candidates[pick % candidates.length] ?? []);
            commit([...new Set(chosen)], step.lost);
          }
          if (step.kind === 'crash') reopen();
        }
        reopen();
        feed(Number.POSITIVE_INFINITY);
        commit(open(), false);
        expect(committed.offset).toBeGreaterThanOrEqual(tracker.next);
        expect([...settledTimes.keys()].sort((one, other) => one - other)).toEqual(log);
        expect([...settledTimes.values()].every((times) => times === 1)).toBe(true);
      }),
    );
  });

  it('keeps the map within its limit at the largest offsets, with gaps and everything unsettled', () => {
    fc.assert(
      fc.property(
        fc.array(distance, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 200 }),
        (gaps, jump) => {
          const begin = Number.MAX_SAFE_INTEGER - 2 ** 45;
          const tracker = fresh(begin);
          let offset = begin;
          for (let index = 0; tracker.hasRoomFor(offset); index += 1) {
            tracker.accept(offset);
            offset += 1 + ((gaps[index % gaps.length] ?? 0) % 5_000);
          }
          tracker.skipTo(offset + jump * 2 ** 32);
          const text = encodeOffsetMap(CLUSTER, null, tracker.snapshotAfter(new Set()));
          expect(text.length).toBeLessThanOrEqual(MAP_MAX_CHARACTERS);
        },
      ),
      { numRuns: 20 },
    );
  });
});
