/** Lets so many do something at a time; the others wait in the order of asking. */
export class Turns {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(atATime: number) {
    this.free = atATime;
  }

  /** @param task gets whether it had to wait: then what was checked before may have changed */
  async take<Result>(task: (hasWaited: boolean) => Promise<Result>): Promise<Result> {
    const hasWaited = this.free === 0;
    if (hasWaited) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.free -= 1;
    try {
      return await task(hasWaited);
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}
