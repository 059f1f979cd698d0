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
  /** The requested context size of a web search. */
  readonly searchContextSize?: string | null;
  /** The provider's own cost, US dollars. */
  readonly reportedCost?: string | null;
  /** The highest expected cost of the call; null if unknown. */
  readonly estimatedCost?: { readonly amount: string; readonly currency: string } | null;
  /** As served. */
  readonly serviceTier: string | null;
  readonly providerRequestId: string | null;
  readonly providerResponseId: string | null;
  /** Epoch ms: decides the price and the billing day. */
  readonly startedAt: number;
  /** Null while running: until then only `estimatedInputTokens` is known. */
  readonly usage: Usage | null;
  readonly estimatedInputTokens: number;
  /** Received text in UTF-8 bytes, as last recorded. It is the basis of the estimate if the worker dies. */
  readonly outputBytes: number;
}

/** The progress of a running attempt. */
export interface AttemptProgress {
  readonly identity: RequestIdentity;
  readonly token: string;
  readonly attempt: number;
  readonly outputBytes: number;
}

/** A claim as its holder identifies it. */
export interface ClaimRef {
  readonly identity: RequestIdentity;
  readonly token: string;
}

export interface VerifiedClaims {
  /** Tokens of claims that another worker has or had. */
  readonly taken: ReadonlySet<string>;
  /** Whether the record of a claim still held was delivered to another worker: the group has reassigned its partition. */
  readonly isWanted: boolean;
}

/** An attempt before it is made. */
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
  /** Whether its owner presumably crashed. After the second crash the request becomes a suspect. */
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
  /** The attempt to make at once if the claim succeeds; null for no attempt (a request refused beforehand). */
  readonly draft: AttemptDraft | null;
  /** A claim of another owner that may be taken over; null if no claim may be. */
  readonly takeFrom: ClaimToTake | null;
  /** The caller holds its worker's quarantine slot. Only then can a suspect be claimed for a call. */
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
  /** Too many crashes were charged to it. The caller has the claim, but must not make a call. */
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
  /** Another worker, or another record in this worker, has the claim. `replay`: for another record than the caller's. */
  | { readonly kind: 'held'; readonly owner: string; readonly heldToken: string; readonly replay: boolean }
  /** It has no claim and is a suspect: it can only be claimed from quarantine. */
  | { readonly kind: 'suspect' };

/** The ledger cannot store this row (its size, its form), so a retry never helps. */
export class LedgerRefused extends Error {
  override readonly name = 'LedgerRefused';
}

/** The database refuses all operations (missing permission, full disk). Work waits until an operator fixes it. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** The ledger of requests. Every write is journaled on a majority. After the claim, every write is conditional on its token. */
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
   * @throws LedgerRefused when the row would be too large: a smaller outcome can be stored under the same claim
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
   * Releases the claim without an outcome (a drain that timed out). If the claim was taken over meanwhile, this proves that its
   * owner did not crash, and the charge for the claim is removed.
   */
  release(identity: RequestIdentity, token: string, attempts: readonly AttemptRow[]): Promise<void>;
  /**
   * Writes the progress of running attempts whose claims are still the caller's. Progress never decreases. Does not wait:
   * rejects if the ledger is unavailable.
   */
  reportProgress(running: readonly AttemptProgress[]): Promise<void>;
  /** Reads which of these claims were taken over, and whether the record of any was delivered to another worker. */
  verifyClaims(claims: readonly ClaimRef[]): Promise<VerifiedClaims>;
  /**
   * Marks an outcome that the brokers refuse in every form. Its record is settled without it, and a command publishes it later.
   * Waits for a database that is down.
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
   * The worker id for claims, as soon as its lease is held. A new id after the lease was lost.
   *
   * @throws the signal's reason
   */
  held(signal: AbortSignal): Promise<string>;
  /**
   * Whether `owner` is dead: it has no lease document, or this process itself saw no beat for a whole lease. Resolves as soon as
   * that is known: true if dead, false if it has renewed its beat.
   */
  isDead(owner: string, signal: AbortSignal): Promise<boolean>;
  /** Whether a dead owner stopped on purpose: it removed its lease, or had begun to stop. A crash leaves the lease unchanged. */
  hasEnded(owner: string): Promise<boolean>;
}
