import { describe, expect, it } from 'vitest';
import { encodeOffsetMap } from '../../../src/domain/offsets/offset-map.ts';
import { turn } from '../../support/fakes/turn.ts';
import { LaneBench } from './lane-bench.ts';

async function openBench(records = 0): Promise<LaneBench> {
  const bench = new LaneBench();
  bench.log.appendMany(records);
  await bench.open();
  return bench;
}

describe('A lane that accepts records', () => {
  it('accepts each once, in log order, however they are fetched', async () => {
    const bench = await openBench(5);
    bench.fetchOnce(2);
    bench.source.seek(bench.log, 1);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 3, 4]);
    expect(bench.lane.unsettledCount).toBe(5);
  });

  it('accepts nothing unless it is open, and does not move the position', async () => {
    const bench = await openBench();
    bench.log.appendMany(1);
    bench.lane.close();
    expect(bench.lane.unsettledCount).toBe(0);
    expect(bench.source.fetch(bench.log)).toBe(true);
    expect(bench.acceptedOffsets).toEqual([]);
    expect(bench.source.position(bench.log)).toBe(0);
  });

  it('counts offsets without a record as settled when the fetch covered exactly them', async () => {
    const bench = await openBench();
    bench.log.skip(2);
    bench.log.appendMany(1);
    bench.log.skip(1);
    bench.log.appendMany(1);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([2, 4]);
    expect(bench.source.seeks).toEqual([0]);
    expect(bench.gaps).toEqual([]);
    await bench.reach(() => bench.transport.committed.offset === 2);
    bench.finish(2);
    await bench.reach(() => bench.transport.committed.offset === 4);
  });

  it('commits offsets after the last record, although they need no answer', async () => {
    const bench = await openBench(1);
    bench.log.skip(2);
    bench.fetch();
    bench.finish(0);
    await bench.reach(() => bench.transport.committed.offset === 3);
    bench.log.skip(2);
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 5);
    expect(bench.transport.settlements.map(({ records }) => records.length)).toEqual([1, 0]);
    expect(bench.source.seeks).toEqual([0]);
  });

  it('commits offsets after the last record only with its outcome', async () => {
    const bench = await openBench(2);
    bench.log.skip(1);
    bench.fetch();
    bench.finish(0);
    await bench.reach(() => bench.settledOffsets.length === 1);
    bench.finish(1);
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(bench.transport.settlements).toHaveLength(2);
  });

  it('starts at the beginning of a log that has lost its position', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(6);
    bench.transport.committed = { offset: 2, metadata: '' };
    bench.log.deleteBelow(4);
    await bench.open();
    bench.fetch();
    expect(bench.source.seeks).toEqual([4]);
    expect(bench.acceptedOffsets).toEqual([4, 5]);
    expect(bench.gaps).toEqual([[2, 3]]);
  });

  it('seeks back once when the position was too far ahead, and finds the records there', async () => {
    const bench = await openBench(6);
    bench.fetchOnce(1);
    bench.source.rejoin(bench.log, 3);
    bench.fetch();
    expect(bench.source.seeks).toEqual([0, 1]);
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 3, 4, 5]);
    expect(bench.gaps).toEqual([]);
  });

  it('reports records that were deleted before they were handled, never seeks to a deleted offset, and commits past them', async () => {
    const bench = await openBench(6);
    bench.fetchOnce(1);
    bench.log.deleteBelow(4);
    bench.fetch();
    expect(bench.source.seeks).toEqual([0]);
    expect(bench.gaps).toEqual([[1, 3]]);
    expect(bench.acceptedOffsets).toEqual([0, 4, 5]);
    bench.finish(0);
    await bench.reach(() => bench.transport.committed.offset === 4);
  });

  it('reports every gap, not only the first', async () => {
    const bench = await openBench(3);
    bench.log.deleteBelow(1);
    bench.fetch();
    bench.log.appendMany(5);
    bench.log.deleteBelow(6);
    bench.fetch();
    expect(bench.source.seeks).toEqual([0]);
    expect(bench.gaps).toEqual([
      [0, 0],
      [3, 5],
    ]);
  });

  it.each([
    ['fewer', 2],
    ['as many', 6],
    ['more', 9],
  ])('starts from scratch when the topic was recreated, with %s records', async (_what, records) => {
    const bench = await openBench(6);
    bench.fetch();
    for (let offset = 0; offset < 6; offset += 1) bench.finish(offset);
    await bench.reach(() => bench.settledOffsets.length === 6);
    bench.log.recreate();
    bench.log.appendMany(records);
    bench.lane.topicIs(await bench.transport.topicId('chat.requests'));
    await bench.reach(() => bench.lane.state === 'open');
    expect(bench.topicIds).toEqual(['topic-1', bench.log.topicId]);
    bench.fetch();
    expect(bench.acceptedOffsets.slice(6)).toEqual(Array.from({ length: records }, (_, offset) => offset));
    bench.finish(0);
    await bench.reach(() => bench.transport.committed.offset === 1);
  });

  it('recognizes the id of the same topic', async () => {
    const bench = await openBench(1);
    bench.lane.topicIs('topic-1');
    bench.lane.topicIs(null);
    expect(bench.lane.state).toBe('open');
  });

  it('detects automatically that the log ends before a settled offset', async () => {
    const bench = await openBench(6);
    bench.fetch();
    for (let offset = 0; offset < 6; offset += 1) bench.finish(offset);
    await bench.reach(() => bench.settledOffsets.length === 6);
    bench.log.recreate();
    bench.log.appendMany(2);
    bench.source.seek(bench.log, 0);
    bench.fetch();
    expect(bench.lane.state).toBe('opening');
    expect(bench.acceptedOffsets).toHaveLength(6);
    await bench.reach(() => bench.lane.state === 'open');
    bench.fetch();
    expect(bench.acceptedOffsets.slice(6)).toEqual([0, 1]);
  });

  it('settles nothing of a recreated topic at the old position', async () => {
    const bench = await openBench(3);
    bench.fetch();
    bench.log.recreate();
    bench.log.appendMany(9);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    bench.finish(5);
    await bench.reach(() => bench.topicIds.length === 2);
    expect(bench.settledOffsets).toEqual([]);
    expect(bench.visibleOffsets).toEqual([]);
    bench.fetch();
    expect(bench.acceptedOffsets.slice(9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('halts when the log of the same topic was truncated', async () => {
    const bench = await openBench(6);
    bench.fetch();
    for (let offset = 0; offset < 6; offset += 1) bench.finish(offset);
    await bench.reach(() => bench.settledOffsets.length === 6);
    const { topicId } = bench.log;
    bench.log.recreate();
    bench.log.topicId = topicId;
    bench.log.appendMany(2);
    bench.source.seek(bench.log, 0);
    bench.fetch();
    await bench.reach(() => bench.lane.state === 'halted');
    expect(bench.haltReasons[0]).toMatch(/ends at offset 2, but everything below 6 was settled before/);
    expect(bench.acceptedOffsets).toHaveLength(6);
    expect(bench.source.isPaused(bench.log)).toBe(true);
    expect(bench.transport.openProducers).toBe(0);
  });

  it('continues when the client’s position fell back, and accepts nothing twice', async () => {
    const bench = await openBench(6);
    bench.fetch();
    for (let offset = 0; offset < 4; offset += 1) bench.finish(offset);
    await bench.reach(() => bench.settledOffsets.length === 4);
    bench.log.appendMany(2);
    bench.source.rejoin(bench.log, 2);
    bench.fetchOnce(2);
    bench.fetch();
    expect(bench.lane.state).toBe('open');
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('pauses when its map is full, loses no record, and resumes after a settlement', async () => {
    const bench = await openBench(3_500);
    bench.fetch();
    const full = bench.acceptedOffsets.length;
    expect(full).toBeGreaterThan(3_000);
    expect(full).toBeLessThan(3_500);
    expect(bench.lane.isPaused).toBe(true);
    for (let offset = 0; offset < 1_000; offset += 1) bench.finish(offset);
    await bench.reach(() => bench.settledOffsets.length === 1_000);
    expect(bench.transport.settlements.every(({ metadata }) => metadata.length <= 4_096)).toBe(true);
    expect(bench.lane.isPaused).toBe(false);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual(Array.from({ length: 3_500 }, (_, offset) => offset));
  });

  it('pauses before the first record without room, and resumes with it when there is room', async () => {
    const bench = await openBench(4);
    bench.onAccepted = ({ offset }) => {
      if (offset === 1) bench.room = false;
    };
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1]);
    expect([bench.lane.isSaturated, bench.source.isPaused(bench.log)]).toEqual([true, true]);
    bench.room = true;
    bench.lane.resumeIntake();
    expect([bench.lane.isSaturated, bench.source.isPaused(bench.log)]).toEqual([false, false]);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 3]);
  });

  it('needs no room for settled records', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(4);
    const metadata = encodeOffsetMap('cluster-a', 'topic-1', { watermark: 0, unsettled: [0], next: 4 });
    bench.transport.committed = { offset: 0, metadata };
    await bench.open();
    bench.onAccepted = () => {
      bench.room = false;
    };
    bench.fetch();
    expect(bench.lane.isSaturated).toBe(false);
    bench.finish(0);
    await bench.reach(() => bench.transport.committed.offset === 4);
  });

  it('resumes only when no reason to pause remains', async () => {
    const bench = await openBench(2);
    bench.room = false;
    bench.fetch();
    bench.lane.drain();
    bench.lane.resumeIntake();
    bench.lane.resumeIntake();
    expect(bench.source.isPaused(bench.log)).toBe(true);
  });

  it('asks for room again after it was reopened', async () => {
    const bench = await openBench(2);
    bench.room = false;
    bench.fetch();
    bench.lane.reopen();
    expect(bench.source.isPaused(bench.log)).toBe(true);
    await bench.reach(() => bench.lane.state === 'open');
    expect(bench.source.isPaused(bench.log)).toBe(false);
    bench.room = true;
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1]);
  });
});

describe('A lane whose consumer rejoined the group', () => {
  it('continues where it was, and stays paused', async () => {
    const bench = await openBench(4);
    bench.fetchOnce(2);
    bench.room = false;
    bench.fetch();
    bench.source.resume(bench.log);
    bench.source.rejoin(bench.log, 0);
    bench.lane.reassigned('member-1');
    expect(bench.source.isPaused(bench.log)).toBe(true);
    expect(bench.source.position(bench.log)).toBe(2);
    bench.room = true;
    bench.lane.resumeIntake();
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 3]);
  });

  it('is not paused when it was not', async () => {
    const bench = await openBench(1);
    bench.lane.reassigned('member-1');
    expect(bench.source.isPaused(bench.log)).toBe(false);
  });

  it('stays paused and seeks nowhere while it opens', async () => {
    const bench = new LaneBench();
    bench.lane.start();
    bench.source.resume(bench.log);
    bench.lane.reassigned('member-1');
    expect(bench.source.isPaused(bench.log)).toBe(true);
    expect(bench.source.seeks).toEqual([]);
    await bench.reach(() => bench.lane.state === 'open');
  });

  it('uses its new member id from then on', async () => {
    const bench = await openBench();
    bench.transport.holder = 'member-2';
    bench.lane.reassigned('member-2');
    bench.lane.reopen();
    await bench.reach(() => bench.lane.state === 'open');
    expect(bench.transport.asked).toEqual(['member-1', 'member-2']);
  });
});

describe('A lane that drains', () => {
  it('accepts nothing new and settles what it accepted', async () => {
    const bench = await openBench(3);
    bench.fetchOnce(2);
    bench.lane.drain();
    expect(bench.source.isPaused(bench.log)).toBe(true);
    bench.source.resume(bench.log);
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([0, 1]);
    bench.finish(1);
    bench.finish(0);
    await bench.reach(() => bench.transport.committed.offset === 2);
    expect(bench.visibleOffsets).toEqual([1, 0]);
    expect(bench.source.isPaused(bench.log)).toBe(true);
  });

  it('still settles what it accepted when its transaction is in doubt, but nothing else', async () => {
    const bench = await openBench(4);
    bench.fetchOnce(3);
    bench.lane.drain();
    bench.transport.beforeCommit = () => {
      bench.transport.beforeCommit = () => undefined;
      throw new Error('the connection was closed');
    };
    bench.finish(0);
    await bench.reach(() => bench.doubts.length === 1 && bench.lane.state === 'open');
    bench.finishAtOnce();
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(bench.visibleOffsets).toEqual([0, 1, 2]);
    expect(bench.source.isPaused(bench.log)).toBe(true);
  });

  it('settles what it accepted when the drain begins while a commit is in doubt', async () => {
    const bench = await openBench(4);
    bench.fetchOnce(3);
    bench.lane.reopen();
    bench.lane.drain();
    await bench.reach(() => bench.lane.state === 'open');
    bench.finishAtOnce();
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(bench.visibleOffsets).toEqual([0, 1, 2]);
    expect(bench.source.isPaused(bench.log)).toBe(true);
  });

  it('settles what it accepted when the drain begins before all of that was redelivered', async () => {
    const bench = await openBench(4);
    bench.fetchOnce(3);
    bench.lane.reopen();
    await bench.reach(() => bench.lane.state === 'open');
    bench.finishAtOnce();
    bench.fetchOnce(1);
    bench.lane.reopen();
    await bench.reach(() => bench.lane.state === 'open');
    bench.fetchOnce(2);
    bench.lane.drain();
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(new Set(bench.visibleOffsets)).toEqual(new Set([0, 1, 2]));
    expect(bench.source.isPaused(bench.log)).toBe(true);
  });

  it('accepts nothing when it drains before it was first open', async () => {
    const bench = new LaneBench();
    bench.log.appendMany(2);
    bench.lane.drain();
    bench.lane.start();
    await bench.reach(() => bench.lane.state === 'open');
    expect(bench.source.isPaused(bench.log)).toBe(true);
    await turn();
    bench.fetch();
    expect(bench.acceptedOffsets).toEqual([]);
  });
});
