const DELAY_MS = 1_000;

/**
 * Commits a position that moved without an outcome, past transaction markers, within seconds. Otherwise tools would show a lag
 * until the next record is published.
 */
export class PositionAtRest {
  private readonly isBehind: () => boolean;
  private readonly commit: () => void;
  private timer: NodeJS.Timeout | null = null;

  /** @param isBehind whether the committed position is behind, and no open request would commit it */
  constructor(isBehind: () => boolean, commit: () => void) {
    this.isBehind = isBehind;
    this.commit = commit;
  }

  /** The position moved, or was committed. */
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
