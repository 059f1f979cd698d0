import type { AttemptRow, Claim, RequestIdentity, RequestLedger, StoredOutcome } from '../../ports/ledger.ts';
import type { CallPlan } from '../admission/plan-call.ts';

/** Another worker has taken over the claim: this worker's knowledge of the request is out of date. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/** The ledger's answer if this worker has the claim. */
export type GrantedClaim = Extract<Claim, { kind: 'claimed' | 'poisoned' }>;

export interface ClaimedRequest {
  readonly identity: RequestIdentity;
  readonly token: string;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Null if no call is to be made. */
  readonly plan: CallPlan | null;
}

/**
 * A claim of this worker, with its calls. Every write is conditional on the claim's token.
 *
 *   claim   held ──► completed, released, or lost: a write finds another token (`ClaimLost`)
 *
 *   call    begun ──► ACCEPTED ──────► FAILED (its chunks cannot be published)
 *             │           └──────────► ABORTED (the claim is released)
 *             ├─────► FAILED ────────► RETRIED (a further call begins)
 *             └─────► ABORTED
 *           never made ──────────────► ABORTED, without usage
 */
export class OwnClaim {
  readonly identity: RequestIdentity;
  readonly token: string;
  readonly startedAt: number;
  /** The crashes that condemn the request; null if it may be called. */
  readonly crashes: number | null;
  /** Whether a crash of this worker counts against the request. */
  readonly isQuarantined: boolean;
  /** The number of the first call, whose row is already in the ledger. */
  readonly firstAttempt: number;
  private readonly ledger: RequestLedger;
  private readonly plan: CallPlan | null;
  private readonly earlier: readonly AttemptRow[];
  private readonly rows: AttemptRow[] = [];

  constructor(
    granted: GrantedClaim,
    { identity, token, startedAt, plan }: ClaimedRequest,
    ledger: RequestLedger,
  ) {
    const isCallable = granted.kind === 'claimed';
    this.identity = identity;
    this.token = token;
    this.startedAt = startedAt;
    this.crashes = isCallable ? null : granted.crashes;
    this.isQuarantined = isCallable && granted.quarantined;
    this.firstAttempt = isCallable ? granted.attempt : 0;
    this.earlier = granted.earlier;
    this.plan = isCallable ? plan : null;
    this.ledger = ledger;
  }

  /** The ended calls of this claim. */
  get attempts(): readonly AttemptRow[] {
    return this.rows;
  }

  /** Every ended call of the request, those of earlier claims first. */
  get allAttempts(): AttemptRow[] {
    return [...this.earlier, ...this.rows];
  }

  /** Writes the row of a further call before it is made. @throws ClaimLost */
  async begin(row: AttemptRow): Promise<void> {
    const last = this.rows.at(-1);
    if (last?.disposition === 'FAILED') this.rows[this.rows.length - 1] = { ...last, disposition: 'RETRIED' };
    throwIfLost(await this.ledger.beginAttempt(this.identity, this.token, row, this.rows));
  }

  ended(row: AttemptRow): void {
    this.rows.push(row);
  }

  /** The first call was claimed but is not made: it used nothing. */
  neverMade(): void {
    if (this.plan !== null) this.rows.push(notMade(newAttempt(this.plan, this.firstAttempt, this.startedAt)));
  }

  /** If its chunks cannot be published, an answer has failed. It is billed. */
  unpublished(attempt: number): void {
    const place = this.rows.findIndex((row) => row.attempt === attempt && row.disposition === 'ACCEPTED');
    const row = this.rows[place];
    if (row !== undefined) this.rows[place] = { ...row, disposition: 'FAILED' };
  }

  /** @throws ClaimLost */
  async setQuarantined(isQuarantined: boolean): Promise<void> {
    throwIfLost(await this.ledger.setQuarantined(this.identity, this.token, isQuarantined));
  }

  /** Stores the outcome and ends the claim. @throws ClaimLost; what the ledger throws */
  async complete(outcome: StoredOutcome): Promise<void> {
    throwIfLost(await this.ledger.complete(this.identity, this.token, outcome, this.allAttempts));
  }

  /**
   * Ends the claim without an outcome. Never rejects. An answer that was not settled is not accepted: the next owner bills
   * it as aborted.
   */
  async release(): Promise<void> {
    if (this.rows.length === 0) this.neverMade();
    const rows = this.rows.map((row) =>
      row.disposition === 'ACCEPTED' ? ({ ...row, disposition: 'ABORTED' } as const) : row,
    );
    await this.ledger.release(this.identity, this.token, rows).catch(() => undefined);
  }
}

/** The row of a call before it is made. */
export function newAttempt(plan: CallPlan, attempt: number, startedAt: number): AttemptRow {
  return {
    attempt,
    disposition: 'RUNNING',
    provider: plan.provider.name,
    account: plan.provider.account,
    model: plan.model.id,
    region: plan.provider.region ?? null,
    serviceTier: null,
    providerRequestId: null,
    providerResponseId: null,
    startedAt,
    usage: null,
    estimatedInputTokens: plan.estimatedInputTokens,
    outputBytes: 0,
  };
}

/** The row of a call that is not made after all. */
export function notMade(row: AttemptRow): AttemptRow {
  return { ...row, disposition: 'ABORTED' };
}

function throwIfLost(isOurs: boolean): void {
  if (!isOurs) throw new ClaimLost();
}
