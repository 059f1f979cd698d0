/** Bytes that several decoders share: each takes what it may need before it begins, in the order in which they ask. */
export class ByteBudget {
  private readonly waiting: { readonly bytes: number; readonly begin: () => void }[] = [];
  private readonly capacity: number;
  private taken = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get inUse(): number {
    return this.taken;
  }

  /** Runs `work` once there is room. More than the whole budget gets the whole budget. */
  async with<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(bytes, this.capacity);
    await this.take(share);
    try {
      return await work();
    } finally {
      this.taken -= share;
      this.admit();
    }
  }

  private take(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waiting.push({ bytes, begin: resolve });
    this.admit();
    return promise;
  }

  private admit(): void {
    for (let [next] = this.waiting; next !== undefined; [next] = this.waiting) {
      if (this.taken + next.bytes > this.capacity) return;
      this.waiting.shift();
      this.taken += next.bytes;
      next.begin();
    }
  }
}
