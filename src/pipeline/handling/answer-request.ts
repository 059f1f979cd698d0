import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { deadlineExceeded, poisoned } from '../../domain/failures/refusals.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { Permit } from '../admission/permit.ts';
import { reserveBudget } from '../admission/reserve-budget.ts';
import { limitTime } from '../admission/time-limit.ts';
import { callProvider } from '../calling/call-provider.ts';
import { OwnPermits } from '../calling/own-permits.ts';
import { hasUnencodableValues } from '../chunks/chunk-failure.ts';
import { type Admitted, notCalled } from '../claims/admit-request.ts';
import type { OwnClaim } from '../claims/own-claim.ts';
import type { QuarantineStay } from '../claims/quarantine.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import type { Answer, ChunksEnd } from '../outcome/answer.ts';
import { checkAnswer } from './check-answer.ts';
import type { Answered } from './conclude-request.ts';
import type { HandlerOptions } from './handler-options.ts';

/**
 * Reserves the budget of a claimed request, and calls the provider until it has answered or another call would be pointless.
 *
 * @param stay of a suspect that is called from quarantine; null for any other request
 * @throws `ClaimLost`; the reason of the signal or of a stop
 */
export async function answer(
  job: RequestToHandle,
  claim: OwnClaim,
  { plan, permit: admitted }: Admitted,
  stay: QuarantineStay | null,
  { admission, budgets, caller, checker }: HandlerOptions,
  signal: AbortSignal,
): Promise<Answered> {
  if (claim.crashes !== null) return { answer: null, failure: poisoned(claim.crashes) };
  if (plan instanceof ChatFailure) return { answer: null, failure: plan };
  const { request } = job.accepted;
  const { clock, policy } = caller;
  const neverMade = (failure: ChatFailure): Answered => {
    claim.neverMade();
    return { answer: null, failure };
  };
  // The deadline passed while the ledger was read.
  if (isOver(request.deadline, clock.now())) return neverMade(deadlineExceeded(false));
  const whileWanted = AbortSignal.any([signal, job.cancelled]);
  const limit = limitTime(whileWanted, request.deadline, policy.requestTimeoutMs, clock.now());
  const permits = new OwnPermits({ admission, clock, seat: job.seat, plan, claim, stay, limit }, admitted);
  try {
    let warnings: Answered['warnings'];
    let permit: Permit;
    try {
      // The permit comes first: a waiting request reserves no budget. If the ledger is slow, other requests get the permit.
      await permits.hold();
      const reserved = await reserveBudget(claim.identity, plan, claim.startedAt, budgets, limit.signal);
      if (reserved.refusal !== null) return neverMade(reserved.refusal);
      warnings = reserved.warnings;
      permit = await permits.hold();
      limit.signal.throwIfAborted();
    } catch (error) {
      // Nothing was sent yet, whatever ran out of time.
      if (error instanceof ChatFailure) return neverMade(notCalled(error));
      throw error;
    }
    const last = await callProvider({ job, plan, claim, permits }, permit, caller, limit.signal);
    const choices =
      last.failure === null ? await checkAnswer(request, last.choices, checker, signal) : last.choices;
    const { chunkCount, failure } = await acknowledged(last, claim, limit.signal);
    const answered = { ...last, choices: hasUnencodableValues(failure) ? [] : choices, chunkCount };
    return { answer: answered, failure: last.failure ?? failure, warnings };
  } finally {
    permits.release();
    limit.clear();
  }
}

/**
 * Waits until the broker has acknowledged the chunks of an answer, at most as long as the request may take. If they are not
 * acknowledged by then, the answer has failed, and is billed.
 *
 * @throws the signal's reason if it is not a failure of the request
 */
async function acknowledged(
  { attempt, chunksAcknowledged, chunkCount }: Answer,
  claim: OwnClaim,
  signal: AbortSignal,
): Promise<ChunksEnd> {
  try {
    return await untilAborted(chunksAcknowledged, signal);
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    claim.unpublished(attempt);
    return { chunkCount, failure: error };
  }
}

/** @param now epoch ms */
export function isOver(deadline: number | null, now: number): boolean {
  return deadline !== null && deadline <= now;
}
