import { setTimeout as pass } from 'node:timers/promises';
import { ChatFailure } from '../domain/chat-failure.ts';
import type { Line } from '../domain/fair-queue.ts';
import { deadlineExceeded, poisoned } from '../domain/refusals.ts';
import type { AttemptRow } from '../ports.ts';
import { type AdmittingOptions, notCalled } from './admit-request.ts';
import { type CallerOptions, callProvider } from './call-provider.ts';
import { type AnswerCheckOptions, checkAnswer } from './check-answer.ts';
import { hasUnencodableValues } from './chunks/chunk-failure.ts';
import type { Answered, OwnClaim } from './conclude-request.ts';
import type { RequestToHandle } from './decode-request.ts';
import { type Answer, type ChunksEnd, newAttempt } from './make-call.ts';
import type { Permit } from './permit.ts';
import type { CallPlan } from './plan-call.ts';
import { type QuarantineStay, reenterQuarantine, type Supply } from './quarantine.ts';
import { type BudgetOptions, reserveBudget } from './reserve-budget.ts';
import { limitTime, type TimeLimit } from './time-limit.ts';
import { untilAborted } from './until-aborted.ts';

export interface AnsweringOptions extends AdmittingOptions, CallerOptions, BudgetOptions, AnswerCheckOptions {
  /** How long a call and its retries may take in all. */
  readonly requestTimeoutMs: number;
}

/** What a call is made with. */
export interface Prepared {
  readonly plan: CallPlan | ChatFailure;
  readonly permit: Permit | null;
  /** Of a suspect that is called from quarantine; null for any other request. */
  readonly stay: QuarantineStay | null;
}

/**
 * Reserves the budget of a claimed request, and calls the provider until it has answered or there is no point in trying again.
 *
 * @param attempts gets the claim's calls
 * @throws `ClaimLost`; the reason of the signal or of a stop
 */
export async function answer(
  job: RequestToHandle,
  claim: OwnClaim,
  { plan, permit: granted, stay }: Prepared,
  attempts: AttemptRow[],
  options: AnsweringOptions,
  signal: AbortSignal,
): Promise<Answered> {
  if (claim.kind === 'poisoned') return { answer: null, failure: poisoned(claim.crashes) };
  if (plan instanceof ChatFailure) return { answer: null, failure: plan };
  const { record, request, orderKey } = job.accepted;
  const { clock } = options;
  const notMade = (failure: ChatFailure): Answered => {
    attempts.push(neverMade(plan, claim));
    return { answer: null, failure };
  };
  // It passed while the ledger was asked.
  if (isOver(request.deadline, clock.now())) return notMade(deadlineExceeded(false));
  const identity = { tenantId: request.tenantId, requestId: request.requestId };
  const limit = limitTime(signal, request.deadline, options.requestTimeoutMs, clock.now());
  const owned = { identity, token: claim.token, ledger: options.ledger };
  const nextPermit = async (line: Line, delayMs: number): Promise<Permit> => {
    const supply = supplyOf(plan, job, { line, delayMs }, limit, options);
    if (delayMs === 0) limit.pause(clock.now());
    try {
      if (stay === null) return await supply.take(() => undefined);
      return await reenterQuarantine(stay, supply, owned);
    } finally {
      limit.resume(clock.now());
    }
  };
  let permit = granted;
  try {
    let warnings: Answered['warnings'];
    try {
      // The permit is there first: nobody holds back a budget while waiting. Others get it when the ledger takes long.
      if (!permit?.isHeld) permit = await nextPermit('again', 0);
      const reserved = await reserveBudget(identity, plan, claim.startedAt, options, limit.signal);
      if (reserved.refusal !== null) return notMade(reserved.refusal);
      warnings = reserved.warnings;
      if (!permit.isHeld) permit = await nextPermit('again', 0);
    } catch (error) {
      // Nothing was sent yet, whatever ran out of time.
      if (error instanceof ChatFailure) return notMade(notCalled(error));
      throw error;
    }
    const last = await callProvider(
      {
        origin: { record, orderKey, trace: job.trace },
        identity,
        token: claim.token,
        request,
        plan,
        firstAttempt: claim.attempt,
        startedAt: claim.startedAt,
        get endsAt() {
          return limit.endsAt;
        },
        permit,
        memory: job.memory,
        nextPermit,
        attempts,
      },
      options,
      limit.signal,
    );
    const choices =
      last.failure === null ? await checkAnswer(request, last.choices, options, signal) : last.choices;
    const { chunkCount, failure } = await acknowledged(last, attempts, limit.signal);
    const answered = { ...last, choices: hasUnencodableValues(failure) ? [] : choices, chunkCount };
    return { answer: answered, failure: last.failure ?? failure, warnings };
  } finally {
    permit?.release();
    limit.clear();
  }
}

/** Permits under a claim; the time that one is waited for does not count as time of the request, a delay before it does. */
function supplyOf(
  plan: CallPlan,
  { seat }: RequestToHandle,
  { line, delayMs }: { readonly line: Line; readonly delayMs: number },
  limit: TimeLimit,
  { admission, clock }: AnsweringOptions,
): Supply<Permit> {
  const within = { deadline: null, signal: limit.signal };
  let leftMs = delayMs;
  const delay = async (ended: AbortSignal) => {
    await pass(leftMs, undefined, { signal: ended }).catch(() => ended.throwIfAborted());
    leftMs = 0;
    limit.pause(clock.now());
  };
  return {
    take: async (beforeWait) => {
      const free = leftMs === 0 ? admission.tryEnter(plan) : null;
      if (free !== null) return free;
      beforeWait();
      return admission.enter(seat, plan, line, within, leftMs === 0 ? null : delay);
    },
    release: (permit) => permit.release(),
    wait: (work) => admission.wait(seat, work, within),
  };
}

/**
 * Waits for the chunks of an answer, which the broker may keep waiting for long: no longer than the request may take. An
 * answer whose chunks are not there by then has failed, and is billed.
 *
 * @throws the signal's reason when it is no failure of the request
 */
async function acknowledged(
  { chunksAcknowledged, chunkCount }: Answer,
  attempts: AttemptRow[],
  signal: AbortSignal,
): Promise<ChunksEnd> {
  try {
    return await untilAborted(chunksAcknowledged, signal);
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    const last = attempts.at(-1);
    if (last?.disposition === 'ACCEPTED') attempts[attempts.length - 1] = { ...last, disposition: 'FAILED' };
    return { chunkCount, failure: error };
  }
}

/** The row of a call that was claimed and not made: it used nothing. */
export function neverMade(plan: CallPlan, claim: OwnClaim & { kind: 'claimed' }): AttemptRow {
  return { ...newAttempt(plan, claim.attempt, claim.startedAt), disposition: 'ABORTED' };
}

/** @param now epoch ms */
export function isOver(deadline: number | null, now: number): boolean {
  return deadline !== null && deadline <= now;
}
