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
 * Calls the provider until it has answered or there is no point in trying again. Every call is in the ledger before it
 * is made, with its own span, and its chunks carry its own attempt number.
 *
 * @throws ClaimLost when another worker has taken over; the signal's reason when it fires and is not a `ChatFailure`
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

    // 2 Wait for the chunks of the last one, the delay and a permit.
    try {
      const { failure: unpublished } = await untilAborted(answer.chunksAcknowledged, signal);
      // The next attempt's chunks would fare no better.
      if (unpublished !== null) return withoutChunks(answer, unpublished);
      // What waits for the end of an outage needs no delay of its own.
      await permits.next(isUncounted ? 'first' : 'again', isUncounted ? 0 : backoffMs);
    } catch (error) {
      return endedBy(error, answer);
    }

    // 3 Write its row. The database may be unreachable for longer than the request may take.
    const row = newAttempt(plan, claim.firstAttempt + made, clock.now());
    await untilAborted(claim.begin(row), signal).catch((error: unknown) => {
      if (error instanceof ClaimLost || !signal.aborted) throw error;
    });
    let permit: Permit;
    try {
      signal.throwIfAborted();
      // The ledger may have taken so long that the gate took the permit back.
      permit = await permits.hold();
    } catch (error) {
      // The row is written, or may be; the call is not made: it used nothing.
      claim.ended(notMade(row));
      return endedBy(error, answer);
    }

    // 4 Make it.
    answer = await makeCall({ ...call, adaptations }, permit, row.attempt, row.startedAt, options, signal);
  }
  return answer;
}

/** The answer of a call whose chunks cannot be published. */
function withoutChunks(answer: Answer, failure: ChatFailure): Answer {
  return { ...answer, choices: hasUnencodableValues(failure) ? [] : answer.choices, failure };
}

/** What is left when something ends the retries. @throws the error when it is no failure of the request */
function endedBy(error: unknown, last: Answer): Answer {
  if (error instanceof ChatFailure) return { ...last, failure: error };
  throw error;
}
