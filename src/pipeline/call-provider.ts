import { ChatFailure } from '../domain/chat-failure.ts';
import type { AttemptRow, RequestLedger } from '../ports.ts';
import { hasUnencodableValues } from './chunks/chunk-failure.ts';
import { ClaimLost } from './claim-request.ts';
import { type Answer, type CallToMake, type MakingOptions, makeCall, newAttempt } from './make-call.ts';
import type { Permit } from './permit.ts';
import { waitBeforeRetry } from './retry-policy.ts';
import { untilAborted } from './until-aborted.ts';

export interface CallerOptions extends MakingOptions {
  readonly ledger: RequestLedger;
}

/** Calls in vain of one request that an outage excuses: each leaves a row in the ledger. */
const MAX_EXCUSED = 100;

/**
 * Calls the provider until it has answered or there is no point in trying again. Every call is in the ledger before it
 * is made, with its own span, and its chunks carry its own attempt number.
 *
 * @throws ClaimLost when another worker has taken over; the signal's reason when it fires and is not a `ChatFailure`
 */
export async function callProvider(
  call: CallToMake,
  options: CallerOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const { policy, ledger, clock } = options;
  const { plan, attempts } = call;
  let answer = await makeCall(call, call.permit, call.firstAttempt, call.startedAt, options, signal);
  let excused = 0;
  for (let made = 1; answer.failure !== null; made += 1) {
    const isExcused = answer.inOutage && excused < MAX_EXCUSED;
    if (isExcused) excused += 1;
    const { failure, chunkCount } = answer;
    const { restartOnBreak } = call.request;
    const failed = Math.max(1, made - excused);
    const failedCall = { failure, failed, chunkCount, restartOnBreak, endsAt: call.endsAt };
    const backoffMs = waitBeforeRetry(failedCall, policy, clock.now(), Math.random());
    if (backoffMs === null) return answer;
    // What waits for the end of an outage needs no delay of its own.
    const delay = isExcused ? 0 : backoffMs;
    try {
      const { failure: unpublished } = await untilAborted(answer.chunksAcknowledged, signal);
      // The next attempt's chunks would fare no better.
      if (unpublished !== null) return withoutChunks(answer, unpublished);
    } catch {
      return endedBy(signal, answer);
    }
    let permit: Permit;
    try {
      permit = await call.nextPermit(isExcused ? 'first' : 'again', delay);
    } catch (error) {
      if (error instanceof ChatFailure) return { ...answer, failure: error };
      throw error;
    }
    try {
      markRetried(attempts);
      const row = newAttempt(plan, call.firstAttempt + made, clock.now());
      // The database may be unreachable for longer than the request may take.
      const begun = ledger.beginAttempt(call.identity, call.token, row, attempts);
      const isOurs = await untilAborted(begun, signal).catch((error: unknown) => {
        if (signal.aborted) return null;
        throw error;
      });
      if (isOurs === false) throw new ClaimLost();
      try {
        signal.throwIfAborted();
        // The ledger took long, and the gate took the permit back.
        while (!permit.isHeld) permit = await call.nextPermit('again', 0);
      } catch (error) {
        // Its row is written, or may be; the call is not made: it used nothing.
        attempts.push({ ...row, disposition: 'ABORTED' });
        if (error instanceof ChatFailure) return { ...answer, failure: error };
        throw error;
      }
      answer = await makeCall(call, permit, row.attempt, row.startedAt, options, signal);
    } finally {
      permit.release();
    }
  }
  return answer;
}

/** The answer of a call whose chunks cannot be published. */
function withoutChunks(answer: Answer, failure: ChatFailure): Answer {
  return { ...answer, choices: hasUnencodableValues(failure) ? [] : answer.choices, failure };
}

/** What is left when the signal ends the retries. @throws its reason when that is no failure of the request */
function endedBy(signal: AbortSignal, last: Answer): Answer {
  if (signal.reason instanceof ChatFailure) return { ...last, failure: signal.reason };
  throw signal.reason;
}

function markRetried(attempts: AttemptRow[]): void {
  const last = attempts.at(-1);
  if (last?.disposition === 'FAILED') attempts[attempts.length - 1] = { ...last, disposition: 'RETRIED' };
}
