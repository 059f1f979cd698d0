const DELAY_MS = 1_000;

/**
 * Sees to it that a position that moved without an outcome, past markers of transactions, is committed within seconds: else
 * tools would show a lag for as long as nothing more is published.
 */
export class PositionAtRest {
  private readonly isBehind: () => boolean;
  private readonly commit: () => void;
  private timer: NodeJS.Timeout | null = null;

  /** @param isBehind whether what is committed is behind, and nothing is open whose outcome would bring it along */
  constructor(isBehind: () => boolean, commit: () => void) {
    this.isBehind = isBehind;
    this.commit = commit;
  }

  /** The position has moved, or was committed. */
  look(): void {
    if (this.timer !== null || !this.isBehind()) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.isBehind()) this.commit();
    }, DELAY_MS).unref();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
