import { describe, expect, it } from 'vitest';
import { encodeOffsetMap } from '../../../src/domain/offsets/offset-map.ts';
import { turn } from '../../support/fakes/turn.ts';
import { LaneBench } from './lane-bench.ts';

describe('A lane that opens', () => {
  it('is paused from the start, asks for its partition, fences, and only then reads what is committed', async () => {
    const bench = new LaneBench();
    bench.lane.start();
    expect(bench.source.isPaused(bench.log)).toBe(true);
    expect(bench.lane.isPaused).toBe(true);
    expect(bench.lane.state).toBe('opening');
    await bench.reach(() => bench.lane.state === 'open');
    expect(bench.transport.steps).toEqual(['holds', 'fence', 'position']);
    expect(bench.source.isPaused(bench.log)).toBe(false);
    expect(bench.lane.isPaused).toBe(false);
  });

  it('starts at the beginning of the log, never at its end, when nothing was committed', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(9);
    bench.log.deleteBelow(4);
    await bench.open();
    expect(bench.source.seeks).toEqual([4]);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([4, 5, 6, 7, 8]);
  });

  it('seeks to the watermark and skips offsets that the map has as settled', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(8);
    const metadata = encodeOffsetMap('cluster-a', 'topic-1', { watermark: 2, unsettled: [2, 5], next: 7 });
    bench.transport.committed = { offset: 2, metadata };
    await bench.open();
    expect(bench.source.position(bench.log)).toBe(2);
    expect([1, 2, 3, 5, 6, 7].map((offset) => bench.settledBefore?.(offset))).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
    ]);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([2, 5, 7]);
    expect(bench.lane.unsettledCount).toBe(3);
  });

  it('ignores a map of another cluster and handles everything from the committed offset on', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(8);
    const metadata = encodeOffsetMap('cluster-b', null, { watermark: 2, unsettled: [2, 5], next: 7 });
    bench.transport.committed = { offset: 2, metadata };
    await bench.open();
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([2, 3, 4, 5, 6, 7]);
  });

  it.each(['longer', 'shorter'])(
    'starts at the beginning when the topic was recreated while no worker ran, %s than before',
    async (length) => {
      const bench = new LaneBench();
      const unsettled = { watermark: 4, unsettled: [4], next: 6 };
      bench.transport.committed = { offset: 4, metadata: encodeOffsetMap('cluster-a', 'topic-0', unsettled) };
      bench.log.appendMany(length === 'longer' ? 7 : 2);
      await bench.open();
      bench.fetch();
      expect(bench.acceptedOffsets).toEqual(length === 'longer' ? [0, 1, 2, 3, 4, 5, 6] : [0, 1]);
    },
  );

  it('accepts a map without a topic id', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(8);
    const unsettled = { watermark: 2, unsettled: [2], next: 6 };
    bench.transport.committed = { offset: 2, metadata: encodeOffsetMap('cluster-a', null, unsettled) };
    await bench.open();
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([2, 6, 7]);
  });

  it('halts when the log ends before the committed offset', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(4);
    const everything = { watermark: 6, unsettled: [], next: 6 };
    bench.transport.committed = { offset: 6, metadata: encodeOffsetMap('cluster-a', 'topic-1', everything) };
    bench.lane.start();
    await bench.reach(() => bench.lane.state === 'halted');
    expect(bench.haltReasons[0]).toContain('ends at offset 4, but everything below 6');
  });

  it('closes without fencing another owner when the partition is not its own', async () => {
    const bench = new LaneBench();
    bench.transport.holder = 'member-2';
    bench.lane.start();
    await bench.reach(() => bench.lane.state === 'closed');
    expect(bench.transport.steps).toEqual(['holds']);
    expect(bench.source.isPaused(bench.log)).toBe(true);
  });

  it.each(['holds', 'fence', 'position'] as const)(
    'tries again when the coordinator is unavailable at "%s"',
    async (failing) => {
      const bench = new LaneBench();
      let failures = 2;
      bench.transport.before = (step) => {
        if (step === failing && failures-- > 0) throw new Error('coordinator not available');
      };
      await bench.open();
      expect(bench.doubts).toHaveLength(2);
      expect(bench.transport.openProducers).toBe(1);
    },
  );

  it('asks again when the answer is older than its assignment', async () => {
    const bench = new LaneBench();
    bench.transport.holder = 'member-2';
    const gate = Promise.withResolvers<void>();
    bench.transport.before = () => gate.promise;
    bench.lane.start();
    bench.lane.reassigned('member-2');
    gate.resolve();
    await bench.reach(() => bench.lane.state === 'open');
    expect(bench.transport.asked).toEqual(['member-1', 'member-2']);
  });

  it.each(['holds', 'fence', 'position'] as const)(
    'does nothing more when it is closed while it waits at "%s"',
    async (waiting) => {
      const bench = new LaneBench();
      const gate = Promise.withResolvers<void>();
      bench.transport.before = (step) => (step === waiting ? gate.promise : undefined);
      bench.lane.start();
      await turn();
      bench.lane.close();
      const stepsBefore = bench.transport.steps.length;
      gate.resolve();
      await turn();
      await turn();
      expect(bench.lane.state).toBe('closed');
      expect(bench.transport.steps.slice(stepsBefore)).toEqual(waiting === 'fence' ? ['position'] : []);
      expect(bench.transport.openProducers).toBe(0);
      expect(bench.source.seeks).toEqual([]);
      expect(bench.source.isPaused(bench.log)).toBe(true);
    },
  );

  it('gives up when it is closed while it waits to try again', async () => {
    const bench = new LaneBench();
    bench.transport.before = () => {
      throw new Error('coordinator not available');
    };
    bench.lane.start();
    await bench.reach(() => bench.doubts.length > 0);
    bench.lane.close();
    const asked = bench.transport.steps.length;
    await turn();
    await turn();
    expect(bench.transport.steps.length).toBe(asked);
    expect(bench.doubts).toHaveLength(1);
  });

  it('reports no error that occurs after it was closed', async () => {
    const bench = new LaneBench();
    const gate = Promise.withResolvers<void>();
    bench.transport.before = () => gate.promise;
    bench.lane.start();
    bench.lane.close();
    gate.reject(new Error('the connection was closed'));
    await turn();
    expect(bench.doubts).toEqual([]);
  });

  it.each([
    ['an unknown version', 'v9:cluster-a:2:AQ', /version "v9"/],
    ['damage', 'v1:cluster-a:2', /damaged/],
  ])('halts at an unreadable map, which is %s', async (_what, metadata, reason) => {
    const bench = new LaneBench();
    bench.log.appendMany(5);
    bench.transport.committed = { offset: 2, metadata };
    bench.lane.start();
    await bench.reach(() => bench.lane.state === 'halted');
    expect(bench.haltReasons).toEqual([expect.stringMatching(reason)]);
    expect(bench.source.isPaused(bench.log)).toBe(true);
    expect(bench.transport.openProducers).toBe(0);
    expect(bench.transport.steps).toHaveLength(3);
  });

  it('does not report an unreadable map when it was closed in between', async () => {
    const bench = new LaneBench();
    bench.transport.committed = { offset: 0, metadata: 'v9' };
    const gate = Promise.withResolvers<void>();
    bench.transport.before = (step) => (step === 'position' ? gate.promise : undefined);
    bench.lane.start();
    await turn();
    bench.lane.close();
    gate.resolve();
    await turn();
    expect(bench.haltReasons).toEqual([]);
    expect(bench.lane.state).toBe('closed');
    expect(bench.transport.openProducers).toBe(0);
  });

  it('halts when the log ends below a settled offset', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(3);
    bench.transport.committed = { offset: 5, metadata: '' };
    bench.lane.start();
    await bench.reach(() => bench.lane.state === 'halted');
    expect(bench.haltReasons[0]).toMatch(
      /ends at offset 3, but everything below 5 was settled before.*Stop publishers and workers, set the group's offset of this partition to 3/,
    );
  });

  it('can be closed after it halted, once', async () => {
    const bench = new LaneBench();
    bench.transport.committed = { offset: 5, metadata: '' };
    bench.lane.start();
    await bench.reach(() => bench.lane.state === 'halted');
    bench.lane.close();
    bench.lane.close();
    expect(bench.lane.state).toBe('closed');
  });
});
