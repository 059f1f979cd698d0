import type { ClaimRef, RequestLedger } from '../../ports/ledger.ts';
import { ClaimLost } from './own-claim.ts';

export interface HeldClaimsOptions {
  readonly ledger: Pick<RequestLedger, 'verifyClaims'>;
  readonly intervalMs: number;
  /** Another worker waits for one of these claims, and now owns its record's partition. Must not throw. */
  readonly onWanted: () => void;
}

interface Held {
  readonly claim: ClaimRef;
  readonly lose: AbortController;
  readonly letGo: () => void;
}

/**
 * The claims of this worker. At each beat of the lease it reads their tokens. Work under a claim that another worker has taken
 * over ends. Everything else continues, however long the database was unreachable.
 */
export class HeldClaims {
  private readonly options: HeldClaimsOptions;
  private readonly claims = new Map<string, Held>();
  private readonly timer: NodeJS.Timeout;
  private verifying: Promise<void> | null = null;

  constructor(options: HeldClaimsOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.verify(), options.intervalMs);
    this.timer.unref();
  }

  /** @returns a signal that fires as `outer` does, or with `ClaimLost` once another worker has the claim, until `letGo` is called */
  hold(claim: ClaimRef, outer: AbortSignal): AbortSignal {
    const lose = new AbortController();
    const stop = () => lose.abort(outer.reason);
    if (outer.aborted) stop();
    else outer.addEventListener('abort', stop, { once: true });
    const letGo = () => outer.removeEventListener('abort', stop);
    this.claims.set(claim.token, { claim, lose, letGo });
    return lose.signal;
  }

  letGo({ token }: ClaimRef): void {
    this.claims.get(token)?.letGo();
    this.claims.delete(token);
  }

  /** Reads the tokens. Never rejects: if a read fails, the next beat repeats it. */
  async verify(): Promise<void> {
    this.verifying ??= this.read().finally(() => {
      this.verifying = null;
    });
    await this.verifying;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async read(): Promise<void> {
    if (this.claims.size === 0) return;
    try {
      const held = [...this.claims.values()].map(({ claim }) => claim);
      const { taken, isWanted } = await this.options.ledger.verifyClaims(held);
      for (const token of taken) this.claims.get(token)?.lose.abort(new ClaimLost());
      if (isWanted) this.options.onWanted();
    } catch {
      // The ledger reports its own failures.
    }
  }
}
