import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeOffsetMap,
  deltaBytes,
  deltaCapacity,
  encodeOffsetMap,
  LONGEST_DELTA_BYTES,
  MAP_MAX_CHARACTERS,
  type OffsetSnapshot,
  UnreadableOffsetMap,
} from '../../../../src/domain/offsets/offset-map.ts';

const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk';

/** Mostly small steps, as in a real log, and occasionally the largest possible one. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 40 }) },
);

const snapshots: fc.Arbitrary<OffsetSnapshot> = fc
  .record({ watermark: fc.nat(), steps: fc.array(step, { maxLength: 60 }), last: step })
  .map(({ watermark, steps, last }) => {
    const unsettled = [watermark];
    let offset = watermark;
    for (const distance of steps) {
      offset += distance;
      unsettled.push(offset);
    }
    return { watermark, unsettled, next: offset + last };
  });

const topicIds = fc.option(fc.stringMatching(/^[A-Za-z0-9_-]{22}$/));

describe('encodeOffsetMap and decodeOffsetMap', () => {
  it('restore every snapshot', () => {
    fc.assert(
      fc.property(snapshots, topicIds, (snapshot, topicId) => {
        const text = encodeOffsetMap(CLUSTER, topicId, snapshot);
        expect(decodeOffsetMap(text, CLUSTER, snapshot.watermark)).toEqual({ ...snapshot, topicId });
      }),
    );
  });

  it('represent a snapshot without unsettled offsets', () => {
    const snapshot = { watermark: 42, unsettled: [], next: 42 };
    const text = encodeOffsetMap(CLUSTER, null, snapshot);
    expect(text).toBe(`v1:${CLUSTER}:42:`);
    expect(decodeOffsetMap(text, CLUSTER, 42)).toEqual({ ...snapshot, topicId: null });
  });

  it('keep the released form', () => {
    const snapshot = { watermark: 10, unsettled: [10, 11, 211], next: 1_000 };
    expect(encodeOffsetMap('c', null, snapshot)).toBe('v1:c:10:AcgBlQY');
    expect(encodeOffsetMap('c', 'bElqtKIMSJKHhHMXZXqfqw', snapshot)).toBe(
      'v1:c:10:AcgBlQY:bElqtKIMSJKHhHMXZXqfqw',
    );
  });

  it('support the largest offset', () => {
    const snapshot = { watermark: 0, unsettled: [0], next: Number.MAX_SAFE_INTEGER };
    expect(decodeOffsetMap(encodeOffsetMap('c', null, snapshot), 'c', 0)).toMatchObject(snapshot);
  });
});

describe('decodeOffsetMap', () => {
  const text = encodeOffsetMap(CLUSTER, null, { watermark: 5, unsettled: [5, 9], next: 12 });

  it('returns null without a map', () => {
    expect(decodeOffsetMap('', CLUSTER, 5)).toBeNull();
  });

  it('ignores a map of another cluster: its offsets were copied', () => {
    expect(decodeOffsetMap(text, 'other', 5)).toBeNull();
  });

  it('ignores a map stored with another offset: the offset was changed by hand', () => {
    expect(decodeOffsetMap(text, CLUSTER, 6)).toBeNull();
  });

  it('throws on an unknown version, from any writer', () => {
    for (const unknown of [text.replace('v1', 'v2'), 'v10:other:5:AQ', 'anything']) {
      expect(() => decodeOffsetMap(unknown, CLUSTER, 5)).toThrow(UnreadableOffsetMap);
    }
    expect(() => decodeOffsetMap(text.replace('v1', 'v2'), CLUSTER, 5)).toThrow(/version "v2".*reads v1/);
  });

  it.each([
    ['no deltas', 'v1:c:5'],
    ['a part too many', 'v1:c:5:AQ:5.7:x'],
    ['a watermark that is no number', 'v1:c:five:AQ'],
    ['a negative watermark', 'v1:c:-5:AQ'],
    ['a watermark beyond all offsets', 'v1:c:9007199254740993:AQ'],
    ['a character that is not base64url', 'v1:c:5:A+'],
    ['an offset twice', 'v1:c:5:AQA'],
    ['a number cut in its middle', 'v1:c:5:gA'],
  ])('throws on a damaged map: %s', (_what, damaged) => {
    expect(() => decodeOffsetMap(damaged, 'c', 5)).toThrow(UnreadableOffsetMap);
  });

  it('never reads truncated text as a snapshot with more settled', () => {
    fc.assert(
      fc.property(snapshots, fc.nat(), (snapshot, at) => {
        const whole = encodeOffsetMap('c', null, snapshot);
        const cut = whole.slice(0, whole.length - 1 - (at % 8));
        let read: OffsetSnapshot | null = null;
        try {
          read = decodeOffsetMap(cut, 'c', snapshot.watermark);
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableOffsetMap);
        }
        // A shorter map is safe: its offsets are unsettled in the full one too, up to its own end.
        const known = new Set(snapshot.unsettled);
        for (const offset of read?.unsettled ?? []) expect(known.has(offset)).toBe(true);
      }),
    );
  });
});

describe('deltaBytes', () => {
  it('never grows when neighbours merge', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 52 }),
        fc.integer({ min: 1, max: 2 ** 52 }),
        (one, other) => {
          expect(deltaBytes(one + other)).toBeLessThanOrEqual(deltaBytes(one) + deltaBytes(other));
        },
      ),
    );
  });

  it('changes at powers of 128', () => {
    expect([1, 127, 128, 16_383, 16_384].map(deltaBytes)).toEqual([1, 1, 2, 2, 3]);
    expect(LONGEST_DELTA_BYTES).toBe(8);
  });
});

describe('deltaCapacity', () => {
  it('fills the map exactly to its limit with the longest watermark', () => {
    const capacity = deltaCapacity(CLUSTER);
    const watermark = Number.MAX_SAFE_INTEGER - capacity;
    const unsettled = Array.from({ length: capacity }, (_, index) => watermark + index);
    const topicId = 'x'.repeat(22);
    const text = encodeOffsetMap(CLUSTER, topicId, { watermark, unsettled, next: watermark + capacity });
    expect(text.length).toBeLessThanOrEqual(MAP_MAX_CHARACTERS);
    expect(text.length).toBeGreaterThan(MAP_MAX_CHARACTERS - 4);
  });
});
