import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/runtime/logger.ts';
import type { LogRange } from '../../../src/spend/log-range.ts';
import { SpendListener } from '../../../src/spend/spend-listener.ts';
import {
  type CountedEvent,
  type Fold,
  RebuildOvertaken,
  type SpendPosition,
  type SpendStore,
} from '../../../src/spend/spend-store.ts';
import { costEvent } from '../../support/cost-events.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';
import { FakeLog } from '../../support/fakes/fake-log.ts';
import { FakeRequestSource } from '../../support/fakes/fake-request-source.ts';
import { codec } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

const TOPIC = 'chat.costs';

/** Positions and ids in memory, with the store's guarantees. */
class FakeStore implements SpendStore {
  generation = 1;
  readonly positions = new Map<number, SpendPosition>();
  readonly counted: CountedEvent[] = [];
  readonly confirmed: number[][] = [];
  readonly folds: Fold[] = [];
  failure: Error | null = null;
  before: () => Promise<void> = async () => undefined;

  async prepare(): Promise<void> {
    if (this.failure !== null) throw this.failure;
  }

  async position(partition: number): Promise<SpendPosition> {
    const known = this.positions.get(partition);
    return { partition, next: null, newest: null, ...known, generation: this.generation };
  }

  async fold(fold: Fold): Promise<readonly number[]> {
    await this.before();
    if (this.failure !== null) throw this.failure;
    const moved = fold.steps.filter(
      ({ partition, from }) =>
        fold.generation !== this.generation || (this.positions.get(partition)?.next ?? null) !== from,
    );
    if (moved.length > 0) return moved.map(({ partition }) => partition);
    this.folds.push(fold);
    for (const { partition, next, newest } of fold.steps)
      this.positions.set(partition, { partition, generation: this.generation, next, newest });
    this.counted.push(...fold.events);
    return [];
  }

  async confirmCurrent(_generation: number, partitions: readonly number[]): Promise<void> {
    this.confirmed.push([...partitions]);
  }
}

class FetchingSource extends FakeRequestSource {
  override lastFetchAgeMs(): number {
    return 0;
  }
}

const store = { current: new FakeStore() };
let source: FetchingSource;
let logs: FakeLog[];
let lines: string[];
let crashes: Error[];
let commits: number[];
let listener: SpendListener;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  store.current = new FakeStore();
  source = new FetchingSource();
  logs = [new FakeLog(TOPIC, 0), new FakeLog(TOPIC, 1)];
  lines = [];
  crashes = [];
  commits = [];
  listener = new SpendListener({
    source,
    commit: async (_place, offset) => {
      commits.push(offset);
      if (offset === 2) throw new Error('the coordinator is unavailable');
    },
    store: store.current,
    topic: TOPIC,
    readRanges: async () =>
      new Map<number, LogRange>(
        logs.map(({ partition, start, end }) => [partition, { low: start, high: end }]),
      ),
    codec,
    chargeIdTtlMs: 1_000,
    clock: new FakeClock(),
    logger: createLogger({ level: 'info', destination: { write: (line: string) => void lines.push(line) } }),
    onFolded: () => undefined,
    onCrash: (error) => crashes.push(error),
  });
  await listener.start();
});
afterEach(async () => {
  await listener.stop();
  vi.useRealTimers();
});

let number = 0;
function append(log: FakeLog, count = 1): void {
  for (let index = 0; index < count; index += 1) {
    number += 1;
    log.append({ value: codec.encode('CostCalculated', costEvent(`r${number}`)) });
  }
}
const assign = (...of: FakeLog[]) => {
  listener.assigned('member', of);
  return turns();
};
async function turns(): Promise<void> {
  for (let count = 0; count < 20; count += 1) await turn();
}
async function fetchAll(): Promise<void> {
  for (const log of logs) {
    source.fetchAll(log);
    listener.progressed(log, log.end, log.end);
  }
  await turns();
}

describe('a listener', () => {
  it('takes nothing before it knows the position, then counts everything once and commits to Kafka', async () => {
    append(logs[0] as FakeLog, 2);
    append(logs[1] as FakeLog);
    expect(listener.hasJoined).toBe(false);
    listener.assigned('member', logs);
    expect(logs.every((log) => source.isPaused(log))).toBe(true);
    expect(listener.states).toEqual({ opening: 2, open: 0, halted: 0 });
    await turns();
    await fetchAll();
    expect(listener.states).toEqual({ opening: 0, open: 2, halted: 0 });
    expect(store.current.counted).toHaveLength(3);
    expect(commits.sort()).toEqual([1, 2]);
    expect(listener.lag).toBe(0);
    expect(
      listener.hasCounted(
        new Map([
          [0, 2],
          [1, 1],
          [2, 0],
        ]),
      ),
    ).toBe(true);
    expect(listener.hasCounted(new Map([[0, 3]]))).toBe(false);
  });

  it('continues at the database’s position after a rebalance, and reads the newest counted record again', async () => {
    const [log] = logs as [FakeLog];
    append(log, 3);
    await assign(log);
    await fetchAll();
    append(log, 2);
    source.rejoin(log, 0);
    await assign(log);
    expect(source.seeks.at(-1)).toBe(2);
    await fetchAll();
    expect(store.current.counted).toHaveLength(5);
  });

  it('folds gathered records in one step, pauses a full partition, and resumes it when they are counted', async () => {
    const [log] = logs as [FakeLog];
    await assign(log);
    const gate = Promise.withResolvers<void>();
    store.current.before = () => gate.promise;
    append(log);
    await fetchAll();
    append(log, 5_001);
    await fetchAll();
    expect(source.isPaused(log)).toBe(true);
    expect(listener.lag).toBe(5_002);
    gate.resolve();
    await turns();
    expect(source.isPaused(log)).toBe(false);
    expect(store.current.folds.map(({ events }) => events.length)).toEqual([1, 2_000, 2_000, 1_001]);
  });

  it('that was overtaken counts nothing, and continues at the other one’s position', async () => {
    const [log, other] = logs as [FakeLog, FakeLog];
    append(log, 2);
    append(other);
    await assign(log, other);
    store.current.positions.set(0, {
      partition: 0,
      generation: 1,
      next: 1,
      newest: { offset: 0, timestamp: log.records[0]?.timestamp ?? 0 },
    });
    await fetchAll();
    await fetchAll();
    expect(store.current.counted).toHaveLength(2);
    expect(store.current.positions.get(0)?.next).toBe(2);
    expect(store.current.positions.get(1)?.next).toBe(1);
  });

  it('reads from its position again when the source is ahead of it', async () => {
    const [log] = logs as [FakeLog];
    append(log, 2);
    await assign(log);
    await fetchAll();
    append(log, 3);
    await assign(log);
    source.rejoin(log, 4);
    await fetchAll();
    expect(store.current.counted).toHaveLength(5);
  });

  it('counts an unreadable record as missing, and names it', async () => {
    const [log] = logs as [FakeLog];
    log.append({ value: Buffer.from('no event') });
    append(log);
    log.append({ value: codec.encode('CostCalculated', costEvent('odd', { currency: null })) });
    await assign(log);
    await fetchAll();
    expect(store.current.folds[0]?.steps[0]?.unreadable).toBe(2);
    expect(lines.filter((line) => line.includes('cannot be decoded'))).toHaveLength(2);
    expect(lines.join()).toContain('amounts without a currency');
  });

  it('reports records that were deleted before they were counted, and continues', async () => {
    const [log] = logs as [FakeLog];
    append(log, 2);
    await assign(log);
    await fetchAll();
    append(log, 3);
    log.deleteBelow(4);
    await assign(log);
    await fetchAll();
    expect(lines.join()).toContain('deleted before they were counted');
    expect(store.current.positions.get(0)?.next).toBe(5);
  });
});

describe('a replaced log', () => {
  it('halts the partition when it ends before the position', async () => {
    const [log] = logs as [FakeLog];
    store.current.positions.set(0, { partition: 0, generation: 1, next: 7, newest: null });
    append(log, 2);
    await assign(log);
    expect(listener.states.halted).toBe(1);
    expect(lines.join()).toContain('costs rebuild');
    expect(source.fetch(log)).toBe(false);
    expect(listener.hasCounted(new Map([[0, 2]]))).toBe(false);
  });

  it('halts it when another record has the offset of the newest counted one, or the log became shorter', async () => {
    const [log, other] = logs as [FakeLog, FakeLog];
    append(log, 3);
    append(other, 3);
    store.current.positions.set(0, {
      partition: 0,
      generation: 1,
      next: 2,
      newest: { offset: 1, timestamp: -1 },
    });
    await assign(log, other);
    await fetchAll();
    expect(listener.states).toEqual({ opening: 0, open: 1, halted: 1 });
    listener.fetched({
      topic: TOPIC,
      partition: 1,
      fetchedOffset: 0,
      highWatermark: 1,
      logStart: 0,
      records: other.records.slice(0, 1),
      nextOffset: 1,
    });
    expect(listener.states.halted).toBe(2);
    expect(store.current.counted).toHaveLength(3);
  });

  it('is counted as soon as a rebuild is active', async () => {
    const [log] = logs as [FakeLog];
    store.current.positions.set(0, { partition: 0, generation: 1, next: 7, newest: null });
    append(log, 2);
    await assign(log);
    store.current.positions.clear();
    store.current.generation = 2;
    vi.advanceTimersByTime(5_000);
    await turns();
    await fetchAll();
    expect(store.current.counted).toHaveLength(2);
    expect(store.current.folds[0]?.generation).toBe(2);
  });
});

describe('each heartbeat', () => {
  it('confirms partitions that are counted to their end, and no others', async () => {
    const [log, other] = logs as [FakeLog, FakeLog];
    append(log);
    append(other);
    await assign(log, other);
    source.fetchAll(log);
    listener.progressed(log, 1, 1);
    await turns();
    vi.advanceTimersByTime(5_000);
    await turns();
    expect(store.current.confirmed).toEqual([[0]]);
  });

  it('survives an unavailable database', async () => {
    await assign(logs[0] as FakeLog);
    store.current.position = async () => Promise.reject(new Error('away'));
    vi.advanceTimersByTime(5_000);
    await turns();
    expect(lines.join()).toContain('cannot be written');
  });
});

describe('failures', () => {
  it('of a fold that are permanent end the process', async () => {
    const [log] = logs as [FakeLog];
    append(log);
    await assign(log);
    store.current.failure = new TypeError('a bug');
    await fetchAll();
    expect(crashes).toEqual([store.current.failure]);
  });

  it('of reading the position are retried; a rebuild that was overtaken ends', async () => {
    const [log] = logs as [FakeLog];
    store.current.failure = new Error('away');
    await assign(log);
    expect(lines.join()).toContain('trying again');
    store.current.failure = new RebuildOvertaken();
    await vi.waitFor(() => expect(crashes).toHaveLength(1), { timeout: 5_000 });
  });

  it('of the group are reported as temporary or permanent', async () => {
    await assign(logs[0] as FakeLog);
    listener.interrupted(new Error('no coordinator'));
    expect(listener.states).toEqual({ opening: 0, open: 0, halted: 0 });
    const error = new Error('refused');
    listener.crashed(error);
    expect(crashes).toEqual([error]);
  });
});
