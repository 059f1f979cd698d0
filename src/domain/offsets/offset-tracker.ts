import { deltaBytes, LONGEST_DELTA_BYTES, type OffsetSnapshot } from './offset-map.ts';

/**
 * What a lane knows of its partition: which offsets it accepted and which of those are settled. Offsets are accepted in
 * ascending order and settled in any; every operation takes constant time, but `snapshotAfter` and `settled`.
 */
export class OffsetTracker {
  /** Insertion order is ascending, since offsets are accepted in order. */
  private readonly open = new Set<number>();
  /** Offsets below `knownUpTo` that are not in here were settled before this tracker began. */
  private readonly inherited: ReadonlySet<number>;
  private readonly knownUpTo: number;
  private readonly capacityBytes: number;
  private lastOpen: number;
  private usedBytes = 0;
  private nextOffset: number;

  /**
   * @param start what is committed: acceptance begins at its watermark
   * @param capacityBytes how many bytes of deltas the map may take, see `deltaCapacity`
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

  /** The lowest offset that is accepted and not settled, else `next`. */
  get watermark(): number {
    for (const offset of this.open) return offset;
    return this.nextOffset;
  }

  /** How many accepted offsets are not settled. */
  get openCount(): number {
    return this.open.size;
  }

  /** Whether the map would still fit with one more unsettled offset. */
  hasRoomFor(offset: number): boolean {
    if (offset < this.knownUpTo) return true;
    // The way from the last unsettled offset to `next` has no bound: whatever the log skips belongs to it.
    const bytes = deltaBytes(Math.max(1, offset - this.lastOpen)) + LONGEST_DELTA_BYTES;
    return this.usedBytes + bytes <= this.capacityBytes;
  }

  /** Whether an offset was settled before this tracker began, by what the map said. */
  wasSettledBefore(offset: number): boolean {
    return offset < this.knownUpTo && !this.inherited.has(offset);
  }

  /** Accepts an offset at or above `next`; what lies between counts as settled, since the log does not have it. */
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

  /** The snapshot to commit together with these offsets: what is settled so far, these, and nothing else. */
  snapshotAfter(settling: ReadonlySet<number>): OffsetSnapshot {
    const unsettled: number[] = [];
    for (const offset of this.open) if (!settling.has(offset)) unsettled.push(offset);
    // What the map inherited and this tracker has not reached yet is still unsettled.
    let next = this.nextOffset;
    if (this.knownUpTo > next) {
      for (const offset of this.inherited) if (offset >= this.nextOffset) unsettled.push(offset);
      next = this.knownUpTo;
    }
    return { watermark: unsettled[0] ?? next, unsettled, next };
  }

  /** These offsets were committed as settled. */
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
