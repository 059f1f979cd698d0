import { randomUUID } from 'node:crypto';
import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { deadlineExceeded, tookTooLong } from '../../domain/failures/refusals.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Claim, ClaimToTake, RequestIdentity, RequestLedger, WorkerLease } from '../../ports/ledger.ts';
import type { Admission } from '../admission/admission.ts';
import type { CallPlan } from '../admission/plan-call.ts';
import { limitTime } from '../admission/time-limit.ts';
import type { AcceptedRequest, RequestToHandle } from '../intake/decode-request.ts';
import { requestBodyHash } from '../intake/request-identity.ts';
import { ClaimWatches, type HeldClaim } from './claim-watches.ts';
import type { HeldClaims } from './held-claims.ts';
import { type GrantedClaim, OwnClaim } from './own-claim.ts';
import { Quarantine, type QuarantineStay } from './quarantine.ts';

/** At its request's deadline the owner ends the claim, and knows best what its call used. It gets this much longer. */
const OWNERS_GRACE_MS = 5_000;

export interface ClaimsOptions {
  readonly ledger: RequestLedger;
  readonly lease: WorkerLease;
  readonly held: HeldClaims;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
}

/** What is known of a request before the ledger is read. */
export interface Standing {
  /** Of a suspect; null for any other request. */
  readonly stay: QuarantineStay | null;
  /** A claim to take over, because its wait is over. */
  readonly takeFrom: ClaimToTake | null;
  /** Why no call may be made, whatever the plan says. */
  readonly failure: ChatFailure | null;
}

export const UNKNOWN: Standing = { stay: null, takeFrom: null, failure: null };

/** The ledger's answer: the claim, the outcome, or why there is neither. */
export type ClaimAnswer = { readonly kind: 'own'; readonly claim: OwnClaim } | Exclude<Claim, GrantedClaim>;

/**
 * Claims of requests: this worker's own, and those of other workers that it waits for.
 *
 *   unknown ──take()──► own ──(own-claim.ts)──► done
 *      ▲        ├─────► done, conflict
 *      │        ├─────► held by another ──wait()──┐
 *      │        └─────► suspect ──quarantine──────┤
 *      └──────────────────────────────────────────┘
 */
export class Claims {
  readonly ledger: RequestLedger;
  /** This worker's claims, which are verified at each beat. */
  readonly held: HeldClaims;
  /** Where requests of crashed workers are called, one at a time. */
  readonly quarantine = new Quarantine();
  private readonly options: ClaimsOptions;
  private readonly watches: ClaimWatches;

  constructor(options: ClaimsOptions) {
    this.options = options;
    this.ledger = options.ledger;
    this.held = options.held;
    this.watches = new ClaimWatches(options.ledger, options.lease);
  }

  /**
   * Asks the ledger for a request, once.
   *
   * @param plan null if no call is to be made
   * @throws the signal's reason if it fires while waiting for the lease
   */
  async take(
    { request, record }: AcceptedRequest,
    plan: CallPlan | null,
    { takeFrom, stay }: Standing,
    signal: AbortSignal,
  ): Promise<ClaimAnswer> {
    signal.throwIfAborted();
    const { ledger, lease, clock } = this.options;
    const identity = { tenantId: request.tenantId, requestId: request.requestId };
    const bodyHash = requestBodyHash(request);
    const owner = await lease.held(signal);
    const token = randomUUID();
    const startedAt = clock.now();
    const answer = await ledger.claim({
      identity,
      bodyHash,
      source: record,
      token,
      owner,
      draft: plan && {
        provider: plan.provider.name,
        account: plan.provider.account,
        model: plan.model.id,
        region: plan.provider.region ?? null,
        estimatedInputTokens: plan.estimatedInputTokens,
        startedAt,
      },
      takeFrom,
      inQuarantine: stay?.isInside ?? false,
      now: startedAt,
    });
    if (answer.kind !== 'claimed' && answer.kind !== 'poisoned') return answer;
    return { kind: 'own', claim: new OwnClaim(answer, { identity, token, startedAt, plan }, ledger) };
  }

  /**
   * Waits for a claim of another worker, and holds nothing meanwhile. The wait lasts until the claim has ended, its owner is dead,
   * or the request's time is up, by its deadline or CHAT_REQUEST_TIMEOUT.
   *
   * If the request is a repetition, it then fails without a bill: the bill belongs to the original. If it is the very record of
   * the claim, its failure has to bill the claim's calls. It therefore gives the owner a little longer to end them, and then takes
   * the claim.
   *
   * @param since epoch ms at which this request started to wait for claims
   * @throws the reason of the signal or of a stop; what the ledger throws
   */
  async wait(
    { accepted, seat }: RequestToHandle,
    claim: HeldClaim,
    since: number,
    signal: AbortSignal,
  ): Promise<Standing> {
    const { admission, clock, requestTimeoutMs } = this.options;
    const { tenantId, requestId, deadline } = accepted.request;
    const identity: RequestIdentity = { tenantId, requestId };
    const graceMs = claim.replay ? 0 : OWNERS_GRACE_MS;
    const now = clock.now();
    const endsAt = deadline === null ? null : deadline + graceMs;
    const limit = limitTime(signal, endsAt, since + requestTimeoutMs + graceMs - now, now);
    try {
      const wait = (ended: AbortSignal) => this.watches.untilEnded(identity, claim, ended);
      const end = await admission.wait(seat, wait, { deadline: null, signal: limit.signal });
      if (end === 'changed') return UNKNOWN;
      return { ...UNKNOWN, takeFrom: { token: claim.heldToken, crashed: end === 'crashed' } };
    } catch (error) {
      if (!(error instanceof ChatFailure)) throw error;
      const isDeadline = error.code === 'deadline_exceeded';
      return {
        ...UNKNOWN,
        takeFrom: claim.replay ? null : { token: claim.heldToken, crashed: false },
        failure: isDeadline ? deadlineExceeded(!claim.replay) : tookTooLong(requestTimeoutMs),
      };
    } finally {
      limit.clear();
    }
  }
}
