import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { type Adaptation, withAdaptation } from '../../domain/parameters/adaptation.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { Permit } from '../admission/permit.ts';
import { hasUnencodableValues } from '../chunks/chunk-failure.ts';
import { ClaimLost, newAttempt, notMade } from '../claims/own-claim.ts';
import type { Answer } from '../outcome/answer.ts';
import type { CallToMake } from './call-to-make.ts';
import type { CallerOptions } from './caller-options.ts';
import { isSlowToBegin } from './first-token-timeout.ts';
import { makeCall } from './make-call.ts';
import { waitBeforeRetry } from './retry-policy.ts';

/** Failed calls of one request during an outage that do not count as retries. Each leaves a row in the ledger. */
const MAX_UNCOUNTED = 100;

/**
 * Calls the provider until it has answered or another call would be pointless. Every call has a row in the ledger before it is
 * made, and its own span. Its chunks carry its attempt number.
 *
 * @throws ClaimLost if another worker has taken over; the signal's reason if it fires and is not a `ChatFailure`
 */
export async function callProvider(
  call: CallToMake,
  first: Permit,
  options: CallerOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const { policy, clock } = options;
  const { plan, claim, permits } = call;
  const { request } = call.job.accepted;
  const { restartOnBreak } = request;
  const isSlow = isSlowToBegin(plan.model, request);
  let answer = await makeCall(call, first, claim.firstAttempt, claim.startedAt, options, signal);
  let uncounted = 0;
  // A call in another form is not a retry. Each form is tried once.
  const tried = new Set<Adaptation>();
  let adaptations: readonly Adaptation[] = [];
  for (let made = 1; answer.failure !== null; made += 1) {
    // 1 Decide whether another call may help.
    const isUncounted = answer.inOutage && uncounted < MAX_UNCOUNTED;
    if (isUncounted) uncounted += 1;
    const { failure, chunkCount } = answer;
    const { adaptation } = failure;
    const isAdapted = adaptation !== null && !tried.has(adaptation);
    if (isAdapted) {
      tried.add(adaptation);
      adaptations = withAdaptation(adaptations, adaptation);
    }
    const failed = Math.max(1, made - uncounted - tried.size);
    const failedCall = { failure, failed, chunkCount, isSlow, restartOnBreak, endsAt: permits.limit.endsAt };
    const backoffMs = isAdapted ? 0 : waitBeforeRetry(failedCall, policy, clock.now(), Math.random());
    if (backoffMs === null) return answer;

    // 2 Wait for the chunks of the last call, the delay and a permit.
    try {
      const { failure: unpublished } = await untilAborted(answer.chunksAcknowledged, signal);
      // Chunks of the next attempt would fail too.
      if (unpublished !== null) return withoutChunks(answer, unpublished);
      // After the wait for the end of an outage no further delay is needed.
      await permits.next(isUncounted ? 'first' : 'again', isUncounted ? 0 : backoffMs);
    } catch (error) {
      return endedBy(error, answer);
    }

    // 3 Write the call's row. The database may be unreachable for longer than the request may take.
    const row = newAttempt(plan, claim.firstAttempt + made, clock.now());
    await untilAborted(claim.begin(row), signal).catch((error: unknown) => {
      if (error instanceof ClaimLost || !signal.aborted) throw error;
    });
    let permit: Permit;
    try {
      signal.throwIfAborted();
      // The ledger may have taken so long that the gate revoked the permit.
      permit = await permits.hold();
    } catch (error) {
      // The row may have been written. The call is not made, so it used nothing.
      claim.ended(notMade(row));
      return endedBy(error, answer);
    }

    // 4 Make the call.
    answer = await makeCall({ ...call, adaptations }, permit, row.attempt, row.startedAt, options, signal);
  }
  return answer;
}

/** The answer of a call whose chunks cannot be published. */
function withoutChunks(answer: Answer, failure: ChatFailure): Answer {
  return { ...answer, choices: hasUnencodableValues(failure) ? [] : answer.choices, failure };
}

/** The result when an error ends the retries. @throws the error if it is not a failure of the request */
function endedBy(error: unknown, last: Answer): Answer {
  if (error instanceof ChatFailure) return { ...last, failure: error };
  throw error;
}
