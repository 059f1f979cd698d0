import type { BudgetHold, SpendEntry } from '../domain/cost/spend.ts';
import type { RequestIdentity } from '../ports/ledger.ts';

/** A record of the cost topic by its place and time: offsets alone do not tell a recreated topic from the old one. */
export interface RecordMark {
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: number;
}

/** How far a partition of the cost topic is counted. */
export interface SpendPosition {
  readonly partition: number;
  /** The spend that it belongs to; a rebuild makes a new one. */
  readonly generation: number;
  /** The first offset that is not counted; null when nothing was. */
  readonly next: number | null;
  /** The newest record that was counted. */
  readonly newest: RecordMark | null;
}

/** An event as it is counted. */
export interface CountedEvent {
  /** Of two events with the same id only the first is counted. */
  readonly id: string;
  /** Epoch ms until which the id must be remembered; null for ever. */
  readonly keepUntil: number | null;
  readonly request: RequestIdentity;
  readonly entries: readonly SpendEntry[];
  /** What budgets count beside them. */
  readonly holds: readonly BudgetHold[];
}

/** One partition's part of a fold. */
export interface PartitionStep {
  readonly partition: number;
  /** Where its records begin: what the position's `next` must be. */
  readonly from: number | null;
  readonly next: number;
  readonly newest: RecordMark;
  /** Records that are no cost events, or whose event does not add up. */
  readonly unreadable: number;
  /** Whether this brings the partition up to the present. */
  readonly isCurrent: boolean;
}

/** What is counted in one step: all of it becomes visible with the positions, or nothing. */
export interface Fold {
  readonly generation: number;
  readonly steps: readonly PartitionStep[];
  readonly events: readonly CountedEvent[];
}

/**
 * Spend and the counted position. The position in the store decides, not Kafka's: folding the same records twice changes
 * nothing, for instance by a listener that was frozen.
 */
export interface SpendStore {
  /** Makes sure that the partitions below a number have a position. */
  prepare(partitions: number): Promise<void>;
  position(partition: number): Promise<SpendPosition>;
  /**
   * Counts events whose id is new, and releases what was reserved for their requests, in one transaction with the
   * positions.
   *
   * @returns the partitions whose position is not where the step begins; then nothing was counted. An answer that was
   *   lost looks like that too.
   */
  fold(fold: Fold): Promise<readonly number[]>;
  /** Says that everything there is in these partitions is counted. */
  confirmCurrent(generation: number, partitions: readonly number[]): Promise<void>;
}

/** Another rebuild has begun meanwhile, and removed what this one counted. */
export class RebuildOvertaken extends Error {
  override readonly name = 'RebuildOvertaken';

  constructor() {
    super('another rebuild was started and ended this one; run only one at a time');
  }
}

/** A rebuild beside the listener: what it counts becomes the spend in one step. */
export interface SpendRebuild {
  /**
   * Begins a generation of its own, and drops what earlier rebuilds left.
   *
   * @returns the positions of the spend in use, and for which requests something is reserved at this moment
   */
  begin(partitions: number): Promise<{
    generation: number;
    inUse: readonly SpendPosition[];
    hasReserved: (request: RequestIdentity) => boolean;
  }>;
  /** Counts into a generation that was begun, until another rebuild overtakes it; releases nothing, since the spend in use may not have counted it. */
  storeOf(generation: number): SpendStore;
  /**
   * Puts a generation to use if it has counted all that the one in use has, and releases what was reserved for requests
   * that it counted.
   *
   * @param logEnds the offset after the last record of each partition: a position beyond it is of another log
   * @returns false when it has not
   */
  finish(
    generation: number,
    logEnds: ReadonlyMap<number, number>,
    counted: readonly RequestIdentity[],
  ): Promise<boolean>;
  /** Removes everything but the generation in use. */
  clean(): Promise<void>;
}
