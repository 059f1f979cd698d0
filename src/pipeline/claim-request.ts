import { randomUUID } from 'node:crypto';
import type {
  AttemptDraft,
  Claim,
  ClaimToTake,
  Clock,
  RecordSource,
  RequestIdentity,
  RequestLedger,
  WorkerLease,
} from '../ports.ts';

export interface ClaimingOptions {
  readonly ledger: RequestLedger;
  readonly lease: WorkerLease;
  readonly clock: Clock;
}

export interface RequestToClaim {
  readonly identity: RequestIdentity;
  readonly bodyHash: Uint8Array;
  readonly source: RecordSource;
  readonly draft: Omit<AttemptDraft, 'startedAt'> | null;
  readonly takeFrom: ClaimToTake | null;
  readonly inQuarantine: boolean;
}

/** The ledger's answer, with the token that every later write under a claim must carry. */
export type ClaimAnswer = Claim & { readonly token: string; readonly startedAt: number };

/** A claim that was decided: there is nothing to wait for. */
export type DecidedClaim = Exclude<ClaimAnswer, { kind: 'held' | 'suspect' }>;

/** The claim was taken over by another worker: what is known here of the request is not the truth any more. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/**
 * Asks the ledger for a request, once. One that somebody else has is to be waited for (`waitForClaim`), so that no request is paid
 * for twice; a suspect is to be claimed from quarantine.
 *
 * @throws the signal's reason when it fires while the lease is waited for
 */
export async function claimRequest(
  { draft, ...request }: RequestToClaim,
  { ledger, lease, clock }: ClaimingOptions,
  signal: AbortSignal,
): Promise<ClaimAnswer> {
  signal.throwIfAborted();
  const owner = await lease.held(signal);
  const token = randomUUID();
  const startedAt = clock.now();
  const claim = await ledger.claim({
    ...request,
    token,
    owner,
    draft: draft === null ? null : { ...draft, startedAt },
    now: startedAt,
  });
  return { ...claim, token, startedAt };
}
