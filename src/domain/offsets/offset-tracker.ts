import { deltaBytes, LONGEST_DELTA_BYTES, type OffsetSnapshot } from './offset-map.ts';

/**
 * A lane's account of its partition: which offsets it accepted, and which of those are settled. Offsets are accepted in
 * ascending order and settled in any order. Every operation takes constant time, except `snapshotAfter` and `settled`.
 */
export class OffsetTracker {
  /** Insertion order is ascending, since offsets are accepted in order. */
  private readonly open = new Set<number>();
  /** Offsets below `knownUpTo` that are missing here were settled before this tracker started. */
  private readonly inherited: ReadonlySet<number>;
  private readonly knownUpTo: number;
  private readonly capacityBytes: number;
  private lastOpen: number;
  private usedBytes = 0;
  private nextOffset: number;

  /**
   * @param start the committed snapshot: acceptance starts at its watermark
   * @param capacityBytes how many bytes of deltas the map may have, see `deltaCapacity`
   */
  constructor(start: OffsetSnapshot, capacityBytes: number) {
    this.inherited = new Set(start.unsettled);
    this.knownUpTo = start.next;
    this.nextOffset = start.watermark;
    this.lastOpen = start.watermark;
    this.capacityBytes = capacityBytes;
  }

  /** The offset after the last accepted record. */
  get next(): number {
    return this.nextOffset;
  }

  /** The lowest accepted offset that is not settled, else `next`. */
  get watermark(): number {
    for (const offset of this.open) return offset;
    return this.nextOffset;
  }

  /** How many accepted offsets are not settled. */
  get openCount(): number {
    return this.open.size;
  }

  /** Whether the map still fits with one more unsettled offset. */
  hasRoomFor(offset: number): boolean {
    if (offset < this.knownUpTo) return true;
    // The distance from the last unsettled offset to `next` has no bound: it includes everything that the log skips.
    const bytes = deltaBytes(Math.max(1, offset - this.lastOpen)) + LONGEST_DELTA_BYTES;
    return this.usedBytes + bytes <= this.capacityBytes;
  }

  /** Whether the map says that an offset was settled before this tracker started. */
  wasSettledBefore(offset: number): boolean {
    return offset < this.knownUpTo && !this.inherited.has(offset);
  }

  /** Accepts an offset at or above `next`. Offsets between them count as settled, since the log does not have them. */
  accept(offset: number): void {
    if (offset < this.nextOffset)
      throw new RangeError(`offset ${offset} was accepted before (next is ${this.nextOffset})`);
    this.usedBytes += deltaBytes(Math.max(1, offset - this.lastOpen));
    this.open.add(offset);
    this.lastOpen = offset;
    this.nextOffset = offset + 1;
  }

  /** Moves `next` over offsets that need no handling. */
  skipTo(next: number): void {
    if (next > this.nextOffset) this.nextOffset = next;
  }

  isOpen(offset: number): boolean {
    return this.open.has(offset);
  }

  /** The snapshot to commit together with these offsets: everything settled so far and these, nothing else. */
  snapshotAfter(settling: ReadonlySet<number>): OffsetSnapshot {
    const unsettled: number[] = [];
    for (const offset of this.open) if (!settling.has(offset)) unsettled.push(offset);
    // Inherited offsets that this tracker has not reached yet are still unsettled.
    let next = this.nextOffset;
    if (this.knownUpTo > next) {
      for (const offset of this.inherited) if (offset >= this.nextOffset) unsettled.push(offset);
      next = this.knownUpTo;
    }
    return { watermark: unsettled[0] ?? next, unsettled, next };
  }

  /** Marks these offsets as committed. */
  settled(offsets: Iterable<number>): void {
    for (const offset of offsets) this.open.delete(offset);
    this.recount();
  }

  private recount(): void {
    let bytes = 0;
    let previous: number | null = null;
    for (const offset of this.open) {
      if (previous !== null) bytes += deltaBytes(offset - previous);
      previous = offset;
    }
    this.lastOpen = previous ?? this.nextOffset;
    this.usedBytes = bytes;
  }
}
