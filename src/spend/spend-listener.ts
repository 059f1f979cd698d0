import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../ports/clock.ts';
import type {
  FetchedRecords,
  InboundRecord,
  RequestSource,
  RequestSourceListener,
  TopicPartition,
} from '../ports/kafka.ts';
import type { Logger } from '../runtime/logger.ts';
import { endFoldSpan, startFoldSpan } from '../telemetry/fold-span.ts';
import { type CountingOptions, countEvent } from './count-event.ts';
import { CountedPartition } from './counted-partition.ts';
import type { LogRange } from './log-range.ts';
import {
  type CountedEvent,
  type PartitionStep,
  RebuildOvertaken,
  type RecordMark,
  type SpendStore,
} from './spend-store.ts';
import { logDeleted, logOtherLog, logUnreadable } from './spend-troubles.ts';

export interface SpendListenerOptions extends CountingOptions {
  readonly source: RequestSource;
  /** Commits the counted position to Kafka, for tools that show lag; null if it is not needed. */
  readonly commit: ((partition: TopicPartition, offset: number) => Promise<void>) | null;
  readonly store: SpendStore;
  readonly topic: string;
  readonly readRanges: () => Promise<ReadonlyMap<number, LogRange>>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for every fold. Must not throw. */
  readonly onFolded: (fold: Folded) => void;
  /** Counting cannot go on in this process. */
  readonly onCrash: (error: Error) => void;
}

export interface Folded {
  readonly events: readonly CountedEvent[];
  readonly unreadable: number;
  readonly durationMs: number;
}

/** The most events in one transaction. */
const MAX_EVENTS = 2_000;
const RETRY_DELAY_MS = 500;
const BEAT_MS = 5_000;
/** A partition whose last counted record is younger than this counts as up to date. */
const CURRENT_WITHIN_MS = 30_000;
const FETCH_MAX_AGE_MS = 10_000;

/**
 * Folds the cost topic into spend. The authoritative position of each partition is stored with the sums, in the database.
 *
 * ```
 *            assigned              position and log read
 *   (new) ─────────────► opening ────────────────────────► open ──┐ fetched, folded
 *                          ▲  ▲                             │ │ ◄──┘
 *                          │  └── the position has moved ───┘ │
 *                          └──── a rebuild ──── halted ◄──────┘ the log was cut or recreated: needs an operator
 * ```
 */
export class SpendListener implements RequestSourceListener {
  private readonly options: SpendListenerOptions;
  private readonly partitions = new Map<number, CountedPartition>();
  private readonly stopping = new AbortController();
  private readonly beat: NodeJS.Timeout;
  private folding: Promise<void> | null = null;
  private joined = false;

  constructor(options: SpendListenerOptions) {
    this.options = options;
    this.beat = setInterval(() => void this.confirm(), BEAT_MS);
  }

  async start(): Promise<void> {
    await this.options.source.start(this);
  }

  /** Finishes the running fold, then leaves the group. */
  async stop(): Promise<void> {
    clearInterval(this.beat);
    this.stopping.abort(new Error('the listener has stopped'));
    await this.folding;
    await this.options.source.stop();
  }

  assigned(_memberId: string, partitions: readonly TopicPartition[]): void {
    this.joined = true;
    this.partitions.clear();
    void this.open(partitions.map(({ partition }) => partition));
  }

  interrupted(error: Error): void {
    this.options.logger.warn({ err: error }, 'the cost topic cannot be read; trying again');
    this.partitions.clear();
  }

  crashed(error: Error): void {
    this.options.onCrash(error);
  }

  fetched(batch: FetchedRecords): boolean {
    const partition = this.partitions.get(batch.partition);
    if (partition?.state !== 'open') return false;
    const obstacle = partition.accept(batch);
    if (obstacle === 'elsewhere') {
      this.options.source.seek(this.place(partition.number), partition.readFrom);
      return false;
    }
    if (obstacle === 'other log') {
      this.halt(partition, batch.highWatermark);
      return false;
    }
    if (partition.isFull && !partition.isPaused) {
      partition.isPaused = true;
      this.options.source.pause(this.place(partition.number));
    }
    this.foldSoon();
    return true;
  }

  progressed({ partition: number }: TopicPartition, nextOffset: number, highWatermark: number): void {
    this.partitions.get(number)?.progressed(nextOffset, highWatermark);
  }

  /** Known records that are not counted yet. They may include transaction markers. */
  get lag(): number {
    return this.sumOf(({ lag }) => lag);
  }

  get states(): { readonly opening: number; readonly open: number; readonly halted: number } {
    const count = (state: CountedPartition['state']) => this.sumOf((of) => (of.state === state ? 1 : 0));
    return { opening: count('opening'), open: count('open'), halted: count('halted') };
  }

  get hasJoined(): boolean {
    return this.joined;
  }

  /** Whether everything before these log ends is counted. */
  hasCounted(ends: ReadonlyMap<number, number>): boolean {
    return [...ends].every(
      ([number, end]) => end === 0 || (this.partitions.get(number)?.hasCounted(end) ?? false),
    );
  }

  private async open(numbers: readonly number[]): Promise<void> {
    const { source, store, logger } = this.options;
    const opening = numbers.map((number) => new CountedPartition(number));
    for (const partition of opening) {
      this.partitions.set(partition.number, partition);
      source.pause(this.place(partition.number));
    }
    const isCurrent = (partition: CountedPartition) => this.partitions.get(partition.number) === partition;
    while (!this.stopping.signal.aborted && opening.some(isCurrent)) {
      try {
        const ranges = await this.options.readRanges();
        await store.prepare(ranges.size);
        for (const partition of opening) {
          const position = await store.position(partition.number);
          const range = ranges.get(partition.number);
          if (range === undefined || !isCurrent(partition)) continue;
          const deleted = partition.begin(position, range);
          if (deleted !== null) logDeleted(logger, this.place(partition.number), deleted);
          if (partition.state === 'halted') {
            this.halt(partition, range.high);
            continue;
          }
          source.seek(this.place(partition.number), partition.readFrom);
          source.resume(this.place(partition.number));
        }
        return;
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        if (error instanceof RebuildOvertaken) return this.options.onCrash(error);
        logger.warn({ err: error }, 'the counted position of spend cannot be read; trying again');
        await this.pause();
      }
    }
  }

  private foldSoon(): void {
    this.folding ??= this.foldAll()
      .catch((error: unknown) => {
        if (!this.stopping.signal.aborted) this.options.onCrash(asError(error));
      })
      .finally(() => {
        this.folding = null;
      });
  }

  private async foldAll(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const first = [...this.partitions.values()].find(({ hasWaiting }) => hasWaiting);
      if (first === undefined) return;
      await this.foldOnce(first.generation);
    }
  }

  private async foldOnce(generation: number): Promise<void> {
    const { store, clock } = this.options;
    const began = clock.monotonic();
    const events: CountedEvent[] = [];
    const taken: { partition: CountedPartition; records: readonly InboundRecord[]; step: PartitionStep }[] =
      [];
    for (const partition of this.partitions.values()) {
      if (!partition.hasWaiting || partition.generation !== generation || events.length >= MAX_EVENTS)
        continue;
      const records = partition.take(MAX_EVENTS - events.length);
      const newest = records.at(-1);
      if (newest === undefined) continue;
      const counted = records.map((record) => this.count(record));
      events.push(...counted.filter((event) => event !== null));
      const unreadable = counted.filter((event) => event === null).length;
      taken.push({ partition, records, step: this.stepOf(partition, newest, unreadable) });
    }

    const span = startFoldSpan(this.options.topic);
    const records = taken.reduce((sum, { records }) => sum + records.length, 0);
    const moved = await store.fold({ generation, steps: taken.map(({ step }) => step), events }).then(
      (done) => {
        endFoldSpan(span, records, null);
        return done;
      },
      (error: unknown) => {
        endFoldSpan(span, records, error);
        throw error;
      },
    );
    if (moved.length > 0) {
      for (const { partition, records } of taken) {
        if (!moved.includes(partition.number)) partition.release(records);
      }
      void this.open(moved.filter((number) => this.partitions.has(number)));
      return;
    }
    for (const { partition, step } of taken) this.folded(partition, step);
    const unreadable = taken.reduce((sum, { step }) => sum + step.unreadable, 0);
    this.options.onFolded({ events, unreadable, durationMs: clock.monotonic() - began });
  }

  private count(record: InboundRecord): CountedEvent | null {
    const counted = countEvent(record, this.options);
    if (typeof counted !== 'string') return counted;
    logUnreadable(this.options.logger, record, counted);
    return null;
  }

  private stepOf(partition: CountedPartition, newest: RecordMark, unreadable: number): PartitionStep {
    return {
      partition: partition.number,
      from: partition.next,
      next: newest.offset + 1,
      newest: { offset: newest.offset, timestamp: newest.timestamp },
      unreadable,
      isCurrent: partition.isAtEnd || newest.timestamp >= this.options.clock.now() - CURRENT_WITHIN_MS,
    };
  }

  private folded(partition: CountedPartition, step: PartitionStep): void {
    partition.moveTo(step.next);
    if (this.partitions.get(partition.number) !== partition) return;
    const { source } = this.options;
    const place = this.place(partition.number);
    if (partition.isPaused && !partition.hasWaiting) {
      partition.isPaused = false;
      source.resume(place);
    }
    this.options.commit?.(place, step.next).catch(() => undefined);
  }

  private halt(partition: CountedPartition, logEnd: number): void {
    const place = this.place(partition.number);
    this.options.source.pause(place);
    partition.halt();
    logOtherLog(this.options.logger, place, partition.next, logEnd);
  }

  /** Records that idle partitions are up to date, and switches to an activated rebuild, which also reopens halted partitions. */
  private async confirm(): Promise<void> {
    const { source, store, logger } = this.options;
    try {
      const fetchAgeMs = source.lastFetchAgeMs();
      const idle = [...this.partitions.values()].filter(({ state, isAtEnd }) => state === 'open' && isAtEnd);
      if (fetchAgeMs !== null && fetchAgeMs < FETCH_MAX_AGE_MS) {
        for (const [generation, of] of Map.groupBy(idle, (partition) => partition.generation))
          await store.confirmCurrent(
            generation,
            of.map(({ number }) => number),
          );
      }
      const [first] = this.partitions.keys();
      if (first === undefined) return;
      const { generation } = await store.position(first);
      const outdated = [...this.partitions.values()].filter(
        (partition) => partition.state !== 'opening' && partition.generation !== generation,
      );
      if (outdated.length > 0) void this.open(outdated.map(({ number }) => number));
    } catch (error) {
      if (!this.stopping.signal.aborted)
        logger.warn({ err: error }, 'the state of the spend counter cannot be written');
    }
  }

  private place(partition: number): TopicPartition {
    return { topic: this.options.topic, partition };
  }

  private sumOf(value: (partition: CountedPartition) => number): number {
    return [...this.partitions.values()].reduce((sum, partition) => sum + value(partition), 0);
  }

  private async pause(): Promise<void> {
    await wait(RETRY_DELAY_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
