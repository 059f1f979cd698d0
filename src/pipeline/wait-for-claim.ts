import { ChatFailure } from '../domain/chat-failure.ts';
import { deadlineExceeded, tookTooLong } from '../domain/refusals.ts';
import type { ClaimToTake, Clock, RequestIdentity } from '../ports.ts';
import type { Admission } from './admission.ts';
import type { ClaimWatches, HeldClaim } from './claim-watches.ts';
import type { Seat } from './slots.ts';
import { limitTime } from './time-limit.ts';

/** The owner of a claim ends it at its request's deadline itself, and knows best what its call used. */
const OWNERS_GRACE_MS = 5_000;

export interface ClaimWaitOptions {
  readonly admission: Admission;
  readonly clock: Clock;
  readonly watches: ClaimWatches;
  readonly requestTimeoutMs: number;
}

/** What is known when a wait is over. */
export interface ClaimWaited {
  /** The claim that may be taken now; null: the ledger is to be asked again. */
  readonly takeFrom: ClaimToTake | null;
  /** The request's time was up first: no call is to be made. */
  readonly failure: ChatFailure | null;
}

/**
 * Waits for a claim of somebody else, and holds nothing meanwhile: until it has ended, its owner is dead, or the request's time
 * is up, by its deadline or CHAT_REQUEST_TIMEOUT.
 *
 * A repetition whose time is up fails on its own: the bill is the original's. The very record of the claim can only fail with the
 * claim's calls on its bill, so it gives the owner a little longer to end them, and takes the claim then.
 *
 * @param since epoch ms at which this request began to wait for claims
 * @throws the reason of the signal or of `draining`; what the ledger throws
 */
export async function waitForClaim(
  identity: RequestIdentity,
  seat: Seat,
  claim: HeldClaim,
  deadline: number | null,
  since: number,
  options: ClaimWaitOptions,
  signal: AbortSignal,
): Promise<ClaimWaited> {
  const { admission, clock, requestTimeoutMs, watches } = options;
  const graceMs = claim.replay ? 0 : OWNERS_GRACE_MS;
  const now = clock.now();
  const endsAt = deadline === null ? null : deadline + graceMs;
  const limit = limitTime(signal, endsAt, since + requestTimeoutMs + graceMs - now, now);
  try {
    const wait = (ended: AbortSignal) => watches.untilEnded(identity, claim, ended);
    const end = await admission.wait(seat, wait, { deadline: null, signal: limit.signal });
    const takeFrom = end === 'changed' ? null : { token: claim.heldToken, crashed: end === 'crashed' };
    return { takeFrom, failure: null };
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    const isDeadline = error.code === 'deadline_exceeded';
    return {
      takeFrom: claim.replay ? null : { token: claim.heldToken, crashed: false },
      failure: isDeadline ? deadlineExceeded(!claim.replay) : tookTooLong(requestTimeoutMs),
    };
  } finally {
    limit.clear();
  }
}
