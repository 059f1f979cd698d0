import type { BudgetHold, SpendEntry } from '../domain/cost/spend.ts';
import type { RequestIdentity } from '../ports/ledger.ts';

/** A record of the cost topic by its place and time: offsets alone do not distinguish a recreated topic from the old one. */
export interface RecordMark {
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: number;
}

/** How far a partition of the cost topic is counted. */
export interface SpendPosition {
  readonly partition: number;
  /** The generation of spend that it belongs to. A rebuild creates a new one. */
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
  /** The amounts that budgets also count. */
  readonly holds: readonly BudgetHold[];
}

/** One partition's part of a fold. */
export interface PartitionStep {
  readonly partition: number;
  /** Where its records begin. The position's `next` must equal it. */
  readonly from: number | null;
  readonly next: number;
  readonly newest: RecordMark;
  /** Records that are not cost events, or whose event is inconsistent. */
  readonly unreadable: number;
  /** Whether this brings the partition up to the present. */
  readonly isCurrent: boolean;
}

/** What is counted in one step. All of it becomes visible with the positions, or nothing does. */
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
  /** Creates missing positions of the partitions below a number. */
  prepare(partitions: number): Promise<void>;
  position(partition: number): Promise<SpendPosition>;
  /**
   * Counts events whose id is new, and releases what was reserved for their requests, in one transaction with the
   * positions.
   *
   * @returns the partitions whose position is not where the step begins; then nothing was counted. A lost answer to an
   *   earlier try looks the same.
   */
  fold(fold: Fold): Promise<readonly number[]>;
  /** Records that these partitions are completely counted. */
  confirmCurrent(generation: number, partitions: readonly number[]): Promise<void>;
}

/** Another rebuild has started meanwhile and removed what this one counted. */
export class RebuildOvertaken extends Error {
  override readonly name = 'RebuildOvertaken';

  constructor() {
    super('another rebuild was started and ended this one; run only one at a time');
  }
}

/** A rebuild beside the listener. Its result replaces the spend in one step. */
export interface SpendRebuild {
  /**
   * Starts a new generation, and drops what earlier rebuilds left.
   *
   * @returns the positions of the spend in use, and for which requests something is reserved at this moment
   */
  begin(partitions: number): Promise<{
    generation: number;
    inUse: readonly SpendPosition[];
    hasReserved: (request: RequestIdentity) => boolean;
  }>;
  /** Counts into a started generation, until another rebuild replaces it. Releases no reservations, since the spend in use may not have counted the cost. */
  storeOf(generation: number): SpendStore;
  /**
   * Activates a generation if it has counted everything that the one in use has. Releases the reservations of the requests that
   * it counted.
   *
   * @param logEnds the offset after the last record of each partition: a position beyond it is of another log
   * @returns false if it has counted less
   */
  finish(
    generation: number,
    logEnds: ReadonlyMap<number, number>,
    counted: readonly RequestIdentity[],
  ): Promise<boolean>;
  /** Removes everything but the generation in use. */
  clean(): Promise<void>;
}
