/** How far usage must fall below a limit before a paused partition resumes, so that it does not flutter. */
const RESUME_BELOW = 0.8;

export interface IntakeLimitsOptions {
  readonly maxRequests: number;
  readonly maxBytes: number;
}

/**
 * Limits what is accepted and not settled, by count and by bytes. While there is room, any partition may use it. From half of the
 * limit on, each partition with accepted requests gets an equal share, so that a flood in one does not keep others waiting.
 * Constant time.
 */
export class IntakeLimits {
  private readonly maxRequests: number;
  private readonly maxBytes: number;
  private readonly countByPartition = new Map<string, number>();
  /** Partitions without room for their next record. */
  private readonly paused = new Set<string>();
  private total = 0;
  private totalBytes = 0;

  constructor({ maxRequests, maxBytes }: IntakeLimitsOptions) {
    this.maxRequests = maxRequests;
    this.maxBytes = maxBytes;
  }

  get requests(): number {
    return this.total;
  }

  get bytes(): number {
    return this.totalBytes;
  }

  add(partition: string, bytes: number): void {
    this.total += 1;
    this.totalBytes += bytes;
    this.countByPartition.set(partition, (this.countByPartition.get(partition) ?? 0) + 1);
  }

  /** An accepted record turned out to be larger. */
  grow(bytes: number): void {
    this.totalBytes += bytes;
  }

  remove(partition: string, bytes: number): void {
    this.total -= 1;
    this.totalBytes -= bytes;
    const left = (this.countByPartition.get(partition) ?? 0) - 1;
    if (left > 0) this.countByPartition.set(partition, left);
    else this.countByPartition.delete(partition);
  }

  /** How many more records the partition may deliver now. */
  budget(partition: string): number {
    if (this.totalBytes >= this.maxBytes) return 0;
    const forAnyone = this.maxRequests / 2 - this.total;
    const ofItsShare = this.share(partition) - (this.countByPartition.get(partition) ?? 0);
    return Math.max(0, Math.floor(Math.min(this.maxRequests - this.total, Math.max(forAnyone, ofItsShare))));
  }

  /** The partition had no room, and is paused. */
  refused(partition: string): void {
    this.paused.add(partition);
  }

  /** @returns the paused partitions that have enough room again; each once */
  takeResumable(): string[] {
    if (this.paused.size === 0) return [];
    const resumable = [...this.paused].filter((partition) => this.mayResume(partition));
    for (const partition of resumable) this.paused.delete(partition);
    return resumable;
  }

  /** Whether a partition that was paused for its budget has enough room again. */
  mayResume(partition: string): boolean {
    const own = this.countByPartition.get(partition) ?? 0;
    return (
      this.total <= this.maxRequests * RESUME_BELOW &&
      this.totalBytes <= this.maxBytes * RESUME_BELOW &&
      (this.total < this.maxRequests / 2 || own <= this.share(partition) * RESUME_BELOW)
    );
  }

  private share(partition: string): number {
    const active = this.countByPartition.size + (this.countByPartition.has(partition) ? 0 : 1);
    return this.maxRequests / active;
  }
}
