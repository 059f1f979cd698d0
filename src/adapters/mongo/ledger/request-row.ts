import type { RecordSource } from '../../../ports/kafka.ts';
import type {
  AttemptDraft,
  AttemptRow,
  Claim,
  ClaimRequest,
  RequestIdentity,
  StoredOutcome,
} from '../../../ports/ledger.ts';

/** A request that this many workers crashed with is a suspect. A single crash may have any reason. */
export const DEATHS_OF_SUSPECT = 2;

/** A request to which this many crashes were charged is poison (guarantee G9). */
export const CRASHES_OF_POISON = 3;

/** One document of `requests`. */
export interface RequestRow {
  /** Tenant id, a space, request id: request ids have no spaces, so that pairs stay distinct. */
  _id: string;
  bodyHash: Uint8Array;
  /** The record that is billed: the claim's, and after the outcome the one that made it. */
  source: string;
  /** Null when no worker holds it: after a release, or after the outcome. */
  claim: {
    token: string;
    owner: string;
    at: Date;
    quarantined?: boolean;
    /** The very same record was delivered to another worker meanwhile. */
    wanted?: boolean;
  } | null;
  /** How many workers crashed while they had the claim. */
  deaths?: number;
  /** Two workers crashed while they had the claim: it is called from quarantine alone. Missing in older rows. */
  suspect?: boolean;
  /** Tokens of the quarantined claims whose owners crashed. Missing in older rows. */
  crashes?: string[];
  /** Attempt n is at index n - 1. */
  attempts: AttemptRow[];
  outcome: (StoredOutcome & { token: string }) | null;
  /** Whether the outcome is visible for `source`. */
  settled: boolean;
  /** The newest repetitions for which it is visible. Bounded, so that a row cannot grow without limit. */
  settledReplays: string[];
  /** The brokers refused the outcome in every form: only its bill may be visible. Absent when they did not. */
  unpublished?: boolean;
  createdAt: Date;
  expiresAt: Date;
}

export function rowId(identity: RequestIdentity): string {
  return `${identity.tenantId} ${identity.requestId}`;
}

/** A record's place as text; with its time, because a recreated topic starts again at offset 0. */
export function sourceId(source: RecordSource): string {
  return `${source.topic}/${source.partition}/${source.offset}@${source.timestamp}`;
}

/** The row of a request that was never seen: claimed, with its first attempt. */
export function freshRow(request: ClaimRequest, ttlMs: number): RequestRow {
  return {
    _id: rowId(request.identity),
    bodyHash: request.bodyHash,
    source: sourceId(request.source),
    claim: { token: request.token, owner: request.owner, at: new Date(request.now), quarantined: false },
    suspect: false,
    crashes: [],
    attempts: request.draft === null ? [] : [runningAttempt(request.draft, 1)],
    outcome: null,
    settled: false,
    settledReplays: [],
    createdAt: new Date(request.now),
    expiresAt: new Date(request.now + ttlMs),
  };
}

export function runningAttempt(draft: AttemptDraft, attempt: number): AttemptRow {
  return {
    attempt,
    disposition: 'RUNNING',
    provider: draft.provider,
    account: draft.account,
    model: draft.model,
    ...(draft.region != null && { region: draft.region }),
    serviceTier: null,
    providerRequestId: null,
    providerResponseId: null,
    startedAt: draft.startedAt,
    usage: null,
    estimatedInputTokens: draft.estimatedInputTokens,
    outputBytes: 0,
  };
}

/** The result of a claim, read from the row that it left. */
export function claimOf(row: RequestRow, request: ClaimRequest): Claim {
  if (row.claim?.token === request.token) {
    const crashes = row.crashes?.length ?? 0;
    if (crashes >= CRASHES_OF_POISON) return { kind: 'poisoned', crashes, earlier: row.attempts };
    const earlier = request.draft === null ? row.attempts : row.attempts.slice(0, -1);
    const quarantined = row.claim.quarantined ?? false;
    return { kind: 'claimed', attempt: earlier.length + 1, earlier, quarantined };
  }
  const source = sourceId(request.source);
  const replay = row.source !== source;
  const sameBody = Buffer.compare(row.bodyHash, request.bodyHash) === 0;
  if (replay && !sameBody) return { kind: 'conflict' };
  if (row.outcome !== null) {
    const { token: _token, ...outcome } = row.outcome;
    return {
      kind: 'done',
      outcome,
      replay,
      settled: replay ? row.settledReplays.includes(source) : row.settled,
    };
  }
  if (row.claim !== null) return { kind: 'held', owner: row.claim.owner, heldToken: row.claim.token, replay };
  if (row.suspect) return { kind: 'suspect' };
  throw new Error(
    `Ledger row '${row._id}' is free but was not claimed: the claim's update and its result disagree. This is a defect of the service; report it.`,
  );
}
