/** One partition's part of the buffer. */
export class BufferShare {
  /** Bytes that wait for the broker, including those in flight. */
  bytes = 0;
  /** Writers that wait for this part to shrink. */
  relieved: PromiseWithResolvers<void> | null = null;
}

/**
 * Bytes that wait for the broker, over all partitions. A partition's writers wait if it holds more than is still free (a dynamic
 * threshold). So one stalled partition takes at most half, two take a third each, and the others always find room.
 */
export class SharedBuffer {
  private readonly maxBytes: number;
  private readonly full = new Set<BufferShare>();
  private total = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.total;
  }

  /** Whether so many more bytes leave the partition's writers running. */
  hasRoom(share: BufferShare, bytes: number): boolean {
    return share.bytes + bytes <= this.maxBytes - this.total - bytes;
  }

  /** @returns a promise to wait for before more is written to this partition; undefined while there is room */
  grew(share: BufferShare, bytes: number): Promise<void> | undefined {
    share.bytes += bytes;
    this.total += bytes;
    if (share.bytes <= this.free) return undefined;
    share.relieved ??= Promise.withResolvers<void>();
    this.full.add(share);
    return share.relieved.promise;
  }

  shrank(share: BufferShare, bytes: number): void {
    share.bytes -= bytes;
    this.total -= bytes;
    if (this.full.size === 0) return;
    for (const waiting of this.full) {
      // Half of it, so that a writer does not stop and go for each chunk. An empty share never waits.
      if (waiting.bytes > this.free / 2) continue;
      this.full.delete(waiting);
      waiting.relieved?.resolve();
      waiting.relieved = null;
    }
  }

  private get free(): number {
    return Math.max(0, this.maxBytes - this.total);
  }
}
