interface Asking<Answer> {
  readonly now: Promise<Answer>;
  /** What is asked for while a request is in flight is answered by one that begins after it. */
  next: Promise<Answer> | null;
}

/** Lets all who ask at the same time share a request. Nobody gets an answer to one that began before they asked. */
export class SharedAnswer<Answer> {
  private readonly ask: () => Promise<Answer>;
  private asking: Asking<Answer> | null = null;

  constructor(ask: () => Promise<Answer>) {
    this.ask = ask;
  }

  get(): Promise<Answer> {
    const { asking } = this;
    if (asking === null) return this.begin();
    asking.next ??= asking.now.then(
      () => this.begin(),
      () => this.begin(),
    );
    return asking.next;
  }

  private begin(): Promise<Answer> {
    const asking: Asking<Answer> = { now: this.ask(), next: null };
    this.asking = asking;
    const done = () => {
      if (this.asking === asking) this.asking = null;
    };
    asking.now.then(done, done);
    return asking.now;
  }
}
