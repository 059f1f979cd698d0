import { expect, test } from 'vitest';
import { trends } from '../../faults/flatness.ts';

const flat = { rss: 200e6, heapUsed: 50e6, external: 10e6, descriptors: 60, sockets: 40, timers: 100 };

/** Two minutes of samples, one every five seconds. */
const samplesOf = (change: (index: number) => Partial<typeof flat>) =>
  Array.from({ length: 24 }, (_, index) => ({ at: index * 5_000, ...flat, ...change(index) }));

const notFlat = (change: (index: number) => Partial<typeof flat>) =>
  trends(samplesOf(change), 30_000)
    .filter(({ isFlat }) => !isFlat)
    .map(({ measure }) => measure);

test('a constant value is flat, whatever it did during the warm-up', () => {
  expect(notFlat((index) => ({ rss: index < 6 ? index * 30e6 : 200e6 }))).toEqual([]);
});

test('a value that oscillates around a level is flat', () => {
  expect(
    notFlat((index) => ({ timers: 100 + 60 * (index % 2), heapUsed: 50e6 + 5e6 * (index % 3) })),
  ).toEqual([]);
});

test('growing memory, sockets, descriptors and timers are reported', () => {
  expect(notFlat((index) => ({ heapUsed: 50e6 + index * 2e6 }))).toEqual(['heapUsed']);
  expect(notFlat((index) => ({ sockets: 40 + index, descriptors: 60 + index }))).toEqual([
    'descriptors',
    'sockets',
  ]);
  expect(notFlat((index) => ({ timers: 100 + index * 10 }))).toEqual(['timers']);
});

test('the slope is reported per hour', () => {
  const [rss] = trends(
    samplesOf((index) => ({ rss: 200e6 + index * 5_000 })),
    30_000,
  );
  expect(rss?.perHour).toBeCloseTo(3_600_000);
});

test('too few samples give no verdict', () => {
  expect(() =>
    trends(
      samplesOf(() => ({})),
      100_000,
    ),
  ).toThrow('too few');
});
