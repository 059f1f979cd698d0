import { describe, expect, it } from 'vitest';
import { decodeOffsetMap } from '../../../src/domain/offsets/offset-map.ts';
import { ProducerDisconnected, RecordRefused, type Settlement } from '../../../src/ports/kafka.ts';
import { turn } from '../../support/fakes/turn.ts';
import { LaneBench, output } from './lane-bench.ts';

/** A lane that has accepted so many records. */
async function laneWith(records: number, batchMaxBytes?: number): Promise<LaneBench> {
  const bench = new LaneBench(batchMaxBytes);
  bench.log.appendMany(records);
  await bench.open();
  bench.fetch();
  return bench;
}

/** Holds every transaction until the test releases it. */
function holdCommits(bench: LaneBench): { waiting: (() => void)[]; release(): void } {
  const waiting: (() => void)[] = [];
  bench.transport.beforeCommit = () => new Promise<void>((resolve) => waiting.push(resolve));
  return {
    waiting,
    release: () => {
      bench.transport.beforeCommit = () => undefined;
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

function failOnce(
  bench: LaneBench,
  when: 'beforeCommit' | 'afterCommit',
  error = new Error('timeout'),
): void {
  bench.transport[when] = () => {
    bench.transport[when] = () => undefined;
    throw error;
  };
}

describe('A lane that settles', () => {
  it('commits records and position together, the position only over settled offsets', async () => {
    const bench = await laneWith(3);
    bench.finish(1);
    await bench.reach(() => bench.settledOffsets.length === 1);
    const { offset, metadata } = bench.transport.committed;
    expect(offset).toBe(0);
    expect(decodeOffsetMap(metadata, 'cluster-a', 0)).toEqual({
      watermark: 0,
      unsettled: [0, 2],
      next: 3,
      topicId: 'topic-1',
    });
    expect(bench.visibleOffsets).toEqual([1]);
    expect(bench.lane.unsettledCount).toBe(2);
  });

  it('puts everything that has since finished into the next transaction', async () => {
    const bench = await laneWith(6);
    const commits = holdCommits(bench);
    bench.finish(3);
    await turn();
    for (const offset of [5, 0, 1, 4]) bench.finish(offset);
    expect(commits.waiting).toHaveLength(1);
    commits.release();
    await bench.reach(() => bench.settledOffsets.length === 5);
    expect(bench.batches).toEqual([[3], [5, 0, 1, 4]]);
    expect(bench.transport.committed.offset).toBe(2);
  });

  it('puts everything that finished at the same moment into one transaction', async () => {
    const bench = await laneWith(3);
    for (const offset of [2, 0, 1]) bench.finish(offset);
    await bench.reach(() => bench.settledOffsets.length === 3);
    expect(bench.batches).toEqual([[2, 0, 1]]);
  });

  it('keeps each transaction below the limit of every topic', async () => {
    const bench = await laneWith(7, 1_000);
    const commits = holdCommits(bench);
    bench.finish(0, { records: [] });
    await turn();
    const answer = (offset: number, bytes: number, costBytes: number) =>
      bench.finish(offset, {
        records: [
          output(offset, { value: Buffer.alloc(bytes) }),
          output(offset, { topic: 'chat.costs', value: Buffer.alloc(costBytes) }),
        ],
      });
    answer(1, 300, 10);
    answer(2, 300, 10);
    answer(3, 300, 10);
    answer(4, 10, 800);
    answer(5, 10, 800);
    answer(6, 5_000, 10);
    commits.release();
    await bench.reach(() => bench.settledOffsets.length === 7);
    expect(bench.batches).toEqual([[0], [1, 2], [3, 4], [5], [6]]);
  });

  it('counts keys and headers as part of a record', async () => {
    const bench = await laneWith(3, 1_000);
    const commits = holdCommits(bench);
    bench.finish(0, { records: [] });
    await turn();
    const headers = { traceparent: 'x'.repeat(300), list: ['y'.repeat(300), 'z'], nothing: undefined };
    bench.finish(1, { records: [output(1, { value: null, headers })] });
    bench.finish(2, { records: [output(2, { key: null, value: Buffer.alloc(300) })] });
    commits.release();
    await bench.reach(() => bench.settledOffsets.length === 3);
    expect(bench.batches).toEqual([[0], [1], [2]]);
  });

  it('ignores an outcome that it does not wait for', async () => {
    const bench = await laneWith(2);
    bench.finish(7);
    bench.finish(0);
    await bench.reach(() => bench.settledOffsets.length === 1);
    bench.finish(0);
    bench.finish(1);
    await bench.reach(() => bench.settledOffsets.length === 2);
    expect(bench.visibleOffsets).toEqual([0, 1]);
  });

  it('settles nothing more once it is closed', async () => {
    const bench = await laneWith(2);
    const commits = holdCommits(bench);
    bench.finish(0);
    await turn();
    bench.finish(1);
    bench.lane.close();
    commits.release();
    await turn();
    bench.finish(1);
    await turn();
    expect(bench.visibleOffsets).toEqual([]);
    expect(bench.doubts).toEqual([]);
    expect(bench.transport.openProducers).toBe(0);
    expect(bench.transport.steps).toEqual(['holds', 'fence', 'position']);
  });

  it('reports a transaction that was committed while it closed', async () => {
    const bench = await laneWith(2);
    const gate = Promise.withResolvers<void>();
    bench.transport.afterCommit = () => gate.promise;
    bench.finish(0);
    await turn();
    bench.finish(1);
    bench.lane.close();
    gate.resolve();
    await turn();
    expect(bench.settledOffsets).toEqual([0]);
    expect(bench.visibleOffsets).toEqual([0]);
  });

  it('settles outcomes from after a reopening while a transaction from before it is open', async () => {
    const bench = await laneWith(1);
    const gate = Promise.withResolvers<void>();
    bench.transport.beforeCommit = () => gate.promise;
    bench.finish(0);
    await turn();
    bench.lane.reopen();
    await bench.reach(() => bench.lane.state === 'open');
    bench.finishAtOnce();
    bench.fetch();
    gate.resolve();
    await bench.reach(() => bench.settledOffsets.length === 1);
    expect(bench.visibleOffsets).toEqual([0]);
    expect(bench.doubts).toEqual([]);
  });
});

describe('A lane in doubt', () => {
  it('discards its producer, reads the committed position, and sends everything when nothing was committed', async () => {
    const bench = await laneWith(3);
    failOnce(bench, 'beforeCommit');
    bench.finish(1);
    await bench.reach(() => bench.doubts.length === 1 && bench.lane.state === 'open');
    expect(bench.transport.steps).toEqual(['holds', 'fence', 'position', 'holds', 'fence', 'position']);
    expect(bench.transport.openProducers).toBe(1);
    bench.finishAtOnce();
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 0, 1, 2]);
    expect(bench.visibleOffsets.toSorted()).toEqual([0, 1, 2]);
  });

  it('does not repeat a committed transaction whose response was lost', async () => {
    const bench = await laneWith(3);
    failOnce(bench, 'afterCommit');
    bench.finish(1);
    await bench.reach(() => bench.doubts.length === 1 && bench.lane.state === 'open');
    expect([0, 1, 2].map((offset) => bench.settledBefore?.(offset))).toEqual([false, true, false]);
    bench.finishAtOnce();
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(bench.acceptedOffsets).toEqual([0, 1, 2, 0, 2]);
    expect(bench.visibleOffsets.toSorted()).toEqual([0, 1, 2]);
  });

  it('closes when the partition was reassigned in the meantime', async () => {
    const bench = await laneWith(1);
    bench.transport.holder = 'member-2';
    failOnce(bench, 'beforeCommit');
    bench.finish(0);
    await bench.reach(() => bench.lane.state === 'closed');
    expect(bench.transport.steps.filter((step) => step === 'fence')).toHaveLength(1);
    expect(bench.source.isPaused(bench.log)).toBe(true);
    expect(bench.transport.openProducers).toBe(0);
  });

  it('waits between failing attempts, except before the first retry', async () => {
    const bench = await laneWith(1);
    bench.finishAtOnce();
    bench.transport.beforeCommit = () => {
      throw new Error('not enough replicas');
    };
    const doubtsAt: number[] = [];
    bench.finish(0);
    for (let seen = 1; seen <= 4; seen += 1) {
      await bench.reach(() => {
        bench.fetch();
        return bench.doubts.length >= seen;
      });
      doubtsAt.push(performance.now());
    }
    const [first = 0, , third = 0, fourth = 0] = doubtsAt;
    expect(third - first).toBeGreaterThan(9);
    expect(fourth - third).toBeGreaterThan(19);
    bench.lane.close();
  });
});

describe('A lane that hands over a transaction while one is in flight', () => {
  it('commits it after the first, with the first one’s outcomes as settled', async () => {
    const bench = await laneWith(4);
    const commits = holdCommits(bench);
    bench.finish(0);
    await turn();
    bench.finish(2);
    await turn();
    bench.finish(1);
    await turn();
    expect(commits.waiting).toHaveLength(1);
    commits.release();
    await bench.reach(() => bench.settledOffsets.length === 3);
    expect(bench.batches).toEqual([[0], [2], [1]]);
    const settled = bench.transport.settlements.map(({ offset, metadata }) =>
      decodeOffsetMap(metadata, 'cluster-a', offset),
    );
    expect(settled.map((map) => map?.unsettled)).toEqual([[1, 2, 3], [1, 3], [3]]);
  });

  it('loses neither and publishes neither twice when the first one fails', async () => {
    const bench = await laneWith(3);
    const commits = holdCommits(bench);
    bench.finish(0);
    await turn();
    bench.finish(1);
    await turn();
    bench.transport.afterCommit = () => {
      bench.transport.afterCommit = () => undefined;
      throw new Error('timeout');
    };
    commits.release();
    await bench.reach(() => bench.doubts.length === 1 && bench.lane.state === 'open');
    expect(bench.visibleOffsets).toEqual([0]);
    bench.finishAtOnce();
    bench.fetch();
    await bench.reach(() => bench.transport.committed.offset === 3);
    expect(bench.visibleOffsets.toSorted()).toEqual([0, 1, 2]);
    expect(bench.doubts).toHaveLength(1);
  });
});

describe('A lane whose connection was closed while it was idle', () => {
  it('reopens at once, as often as that happens', async () => {
    const bench = await laneWith(1);
    bench.finishAtOnce();
    let closed = 4;
    bench.transport.beforeCommit = () => {
      if (closed-- > 0) throw new ProducerDisconnected('closed');
    };
    bench.finish(0);
    await bench.reach(() => {
      bench.fetch();
      return bench.visibleOffsets.length === 1;
    });
    expect(bench.doubts).toHaveLength(4);
    expect(bench.transport.steps.filter((step) => step === 'fence')).toHaveLength(5);
  });
});

describe('A lane whose record is refused by the broker', () => {
  function refuse(bench: LaneBench, offset: number): Settlement[] {
    const refused: Settlement[] = [];
    bench.transport.beforeCommit = (settlement) => {
      if (!settlement.records.some((record) => record.key === String(offset))) return;
      refused.push(settlement);
      throw new RecordRefused('too large');
    };
    return refused;
  }

  it('halves the transaction until the refused record is alone, and settles the rest', async () => {
    const bench = await laneWith(100);
    const replaced: number[] = [];
    const refused = refuse(bench, 77);
    bench.onAccepted = ({ offset }) => {
      const instead = replaced.includes(offset) ? [output(offset, { key: `${offset}00` })] : [output(offset)];
      bench.finish(offset, { records: instead, refused: () => replaced.push(offset) });
    };
    bench.lane.reopen();
    await bench.reach(() => {
      bench.fetch();
      return bench.transport.committed.offset === 100;
    });
    expect(replaced).toEqual([77]);
    const expected = Array.from({ length: 100 }, (_, offset) => (offset === 77 ? 7_700 : offset));
    expect(new Set(bench.visibleOffsets)).toEqual(new Set(expected));
    expect(bench.visibleOffsets).toHaveLength(100);
    expect(refused[0]?.records).toHaveLength(100);
    expect(refused.at(-1)?.records).toHaveLength(1);
    // One by one it would take 78.
    expect(refused.length).toBeLessThanOrEqual(20);
  });

  it('sends full transactions again after one succeeds', async () => {
    const bench = await laneWith(9);
    bench.onAccepted = ({ offset }) => bench.finish(offset);
    failOnce(bench, 'beforeCommit', new RecordRefused('too large'));
    bench.lane.reopen();
    await bench.reach(() => {
      bench.fetch();
      return bench.transport.committed.offset === 9;
    });
    expect(bench.batches).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7, 8],
    ]);
    expect(bench.visibleOffsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
