import type { Usage } from '../contract/record-types.ts';
import type { RecordSource } from './kafka.ts';

export interface RequestIdentity {
  readonly tenantId: string;
  readonly requestId: string;
}

export type AttemptDisposition = 'RUNNING' | 'ACCEPTED' | 'RETRIED' | 'ABORTED' | 'FAILED' | 'ORPHANED';

/** One provider call as the ledger keeps it: written before the call is made, completed after it. */
export interface AttemptRow {
  /** From 1, never reused for a request, also across workers. */
  readonly attempt: number;
  readonly disposition: AttemptDisposition;
  readonly provider: string;
  readonly account: string | null;
  /** As served, else as asked for. */
  readonly model: string;
  /** Of the endpoint that was called; null for none. Missing in older rows. */
  readonly region?: string | null;
  /** As sent to the provider. Missing in older rows, and while the call runs. */
  readonly requestedModel?: string;
  /** How much a search of the web was to read. */
  readonly searchContextSize?: string | null;
  /** The provider's own cost, US dollars. */
  readonly reportedCost?: string | null;
  /** The most that the call was expected to cost; null when that is not known. */
  readonly estimatedCost?: { readonly amount: string; readonly currency: string } | null;
  /** As served. */
  readonly serviceTier: string | null;
  readonly providerRequestId: string | null;
  readonly providerResponseId: string | null;
  /** Epoch ms: decides the price and the billing day. */
  readonly startedAt: number;
  /** Null while running: then what is known is `estimatedInputTokens`. */
  readonly usage: Usage | null;
  readonly estimatedInputTokens: number;
  /** Text that had arrived when the worker last said so, in UTF-8 bytes: what is known of an attempt whose worker died. */
  readonly outputBytes: number;
}

/** How far a running attempt has come. */
export interface AttemptProgress {
  readonly identity: RequestIdentity;
  readonly token: string;
  readonly attempt: number;
  readonly outputBytes: number;
}

/** A claim as its holder knows it. */
export interface ClaimRef {
  readonly identity: RequestIdentity;
  readonly token: string;
}

export interface VerifiedClaims {
  /** Tokens of claims that are another worker's now, or have been. */
  readonly taken: ReadonlySet<string>;
  /** Whether another worker was given the record of one that still holds: the group has moved its partition. */
  readonly isWanted: boolean;
}

/** What an attempt is before it is made. */
export type AttemptDraft = Pick<
  AttemptRow,
  'provider' | 'account' | 'model' | 'region' | 'startedAt' | 'estimatedInputTokens'
>;

/** The outcome of a request, as single-object Avro, so that any later version of the service can read it. */
export interface StoredOutcome {
  readonly response: Uint8Array;
  readonly responseGenerated: Uint8Array;
  /** Null when nothing was used. */
  readonly cost: Uint8Array | null;
  /** False for a failure that used nothing and may be retried: another record with the same id is a new request. */
  readonly remembered: boolean;
}

/** A claim that is taken from its owner. */
export interface ClaimToTake {
  readonly token: string;
  /** Its owner crashed, as far as can be known: the second time the request becomes a suspect. */
  readonly crashed: boolean;
}

export interface ClaimRequest {
  readonly identity: RequestIdentity;
  /** Hash of what was asked for; the same id with another hash is a conflict. */
  readonly bodyHash: Uint8Array;
  readonly source: RecordSource;
  /** Fresh for every claim. */
  readonly token: string;
  readonly owner: string;
  /** The attempt that will be made at once if the claim succeeds; null when none will be (a request refused beforehand). */
  readonly draft: AttemptDraft | null;
  /** A claim of another owner that is not waited for any longer; null when none may be taken. */
  readonly takeFrom: ClaimToTake | null;
  /** The caller has its worker's place in quarantine: only then is a suspect claimed for a call. */
  readonly inQuarantine: boolean;
  /** Epoch ms. */
  readonly now: number;
}

export type Claim =
  /**
   * The request is the caller's. `attempt` is the number of the draft; `earlier` are calls of earlier claims, complete
   * (orphans included). `quarantined`: it is a suspect, and a crash of the caller is charged to it.
   */
  | {
      readonly kind: 'claimed';
      readonly attempt: number;
      readonly earlier: readonly AttemptRow[];
      readonly quarantined: boolean;
    }
  /** Too many crashes were charged to it; the claim is the caller's, but no call may be made. */
  | { readonly kind: 'poisoned'; readonly crashes: number; readonly earlier: readonly AttemptRow[] }
  /** It has an outcome. `replay`: this record is a repetition. `settled`: this very record's outcome is already visible. */
  | {
      readonly kind: 'done';
      readonly outcome: StoredOutcome;
      readonly replay: boolean;
      readonly settled: boolean;
    }
  /** The id was used for a different request. */
  | { readonly kind: 'conflict' }
  /** Another worker, or another record in this one, has it. `replay`: for another record than the caller's. */
  | { readonly kind: 'held'; readonly owner: string; readonly heldToken: string; readonly replay: boolean }
  /** Nobody has it, and it is a suspect: it may be claimed from quarantine only. */
  | { readonly kind: 'suspect' };

/** The ledger cannot hold this very row (its size, its form), so that writing it again never helps. */
export class LedgerRefused extends Error {
  override readonly name = 'LedgerRefused';
}

/** The database refuses whatever it is asked (no right, no disk): work waits until an operator has seen to it. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** The ledger of requests. Every write is majority and journaled, and after the claim conditional on its token. */
export interface RequestLedger {
  claim(request: ClaimRequest): Promise<Claim>;
  /** Writes the row of a further attempt before its call. `completed` are this claim's earlier attempts. False: the claim was lost. */
  beginAttempt(
    identity: RequestIdentity,
    token: string,
    attempt: AttemptRow,
    completed: readonly AttemptRow[],
  ): Promise<boolean>;
  /**
   * Stores the outcome and ends the claim. False: the claim was lost. Repeating it with the same token is harmless.
   *
   * @throws LedgerRefused when the row would be too large: a smaller outcome may be stored under the same claim
   */
  complete(
    identity: RequestIdentity,
    token: string,
    outcome: StoredOutcome,
    attempts: readonly AttemptRow[],
  ): Promise<boolean>;
  /** The token of the claim under which the request is handled; null if there is no claim. A plain read. */
  claimToken(identity: RequestIdentity): Promise<string | null>;
  /** Whether a crash is charged to the request: not while its claim waits for a further call. False: the claim was lost. */
  setQuarantined(identity: RequestIdentity, token: string, isQuarantined: boolean): Promise<boolean>;
  /**
   * Gives the claim back without an outcome (a drain that ran out of time). When it was taken over meanwhile, this proves that its
   * owner did not crash: what was charged for this claim is taken back.
   */
  release(identity: RequestIdentity, token: string, attempts: readonly AttemptRow[]): Promise<void>;
  /**
   * Writes how far running attempts have come, as far as the claims are still the caller's; an attempt never goes back.
   * Not waited for: rejects when the ledger is away.
   */
  reportProgress(running: readonly AttemptProgress[]): Promise<void>;
  /** Reads which of these claims were taken over, and whether the record of any was delivered to another worker. */
  verifyClaims(claims: readonly ClaimRef[]): Promise<VerifiedClaims>;
  /**
   * Marks the outcome of a request as one that the brokers refuse in every form: its record is settled without it, and a command
   * publishes it later. Waits for a database that is down.
   */
  markUnpublished(identity: RequestIdentity): Promise<void>;
  /** Marks outcomes as visible for their records. Best effort. */
  markSettled(
    settled: readonly { readonly identity: RequestIdentity; readonly source: RecordSource }[],
  ): Promise<void>;
}

/** One lease per worker, kept alive by a beat. */
export interface WorkerLease {
  /**
   * The worker id to claim under, as soon as its lease is held; a new one after the lease was lost.
   *
   * @throws the signal's reason
   */
  held(signal: AbortSignal): Promise<string>;
  /**
   * Whether `owner` is dead: this process has itself watched its beat stand still for a whole lease, or it has no lease document.
   * Resolves as soon as it is known: true when dead, false when it has beaten meanwhile.
   */
  isDead(owner: string, signal: AbortSignal): Promise<boolean>;
  /** Whether a dead owner ended on purpose: it removed its lease, or had begun to stop. A crash leaves the lease as it was. */
  hasEnded(owner: string): Promise<boolean>;
}
