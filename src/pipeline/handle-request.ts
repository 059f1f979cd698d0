import { ChatFailure } from '../domain/chat-failure.ts';
import { deadlineExceeded, invalidRequest, poisoned, usedForAnother } from '../domain/refusals.ts';
import type { AttemptRow, ChatProvider, ClaimToTake } from '../ports.ts';
import { answerFromLedger } from './answer-from-ledger.ts';
import { type CallerOptions, callProvider } from './call-provider.ts';
import { type AnswerCheckOptions, checkAnswer } from './check-answer.ts';
import { checkDefinitions } from './check-definitions.ts';
import { hasUnencodableValues } from './chunks/chunk-failure.ts';
import { type ClaimingOptions, ClaimLost, claimRequest } from './claim-request.ts';
import type { HeldClaim } from './claim-watches.ts';
import { type Answered, type ConcludeOptions, conclude, type OwnClaim } from './conclude-request.ts';
import type { RequestToHandle } from './decode-request.ts';
import { type EnteringOptions, enterGate } from './enter-gate.ts';
import type { HandledRequest } from './handled-request.ts';
import type { Permit } from './key-gate.ts';
import { newAttempt } from './make-call.ts';
import { type CallDefaults, type CallPlan, countingExactly, planCall } from './plan-call.ts';
import {
  type Admission,
  enterQuarantine,
  type Quarantine,
  type QuarantineStay,
  reenterQuarantine,
} from './quarantine.ts';
import { refuse } from './refuse-request.ts';
import { requestBodyHash } from './request-identity.ts';
import { type BudgetOptions, reserveBudget } from './reserve-budget.ts';
import { limitTime } from './time-limit.ts';
import { turnForOthers } from './turn-for-others.ts';
import { untilAborted } from './until-aborted.ts';
import { validateRequest } from './validate-request.ts';
import { type ClaimWaitOptions, waitForClaim } from './wait-for-claim.ts';
import { type ParkingOptions, waitParked } from './wait-parked.ts';

export interface HandlerOptions
  extends CallerOptions,
    ClaimingOptions,
    ClaimWaitOptions,
    EnteringOptions,
    BudgetOptions,
    ConcludeOptions,
    AnswerCheckOptions {
  readonly providers: ReadonlyMap<string, ChatProvider>;
  readonly defaults: CallDefaults;
  /** How long a call and its retries may take in all. */
  readonly requestTimeoutMs: number;
  /** Where requests that a crashed worker had claimed are called, one at a time. */
  readonly quarantine: Quarantine;
}

/** What earlier looks into the ledger have brought out about a request that is not decided. */
interface Standing {
  /** Of a suspect; null while it is none. */
  readonly stay: QuarantineStay | null;
  /** A claim that is not waited for any longer. */
  readonly takeFrom: ClaimToTake | null;
  /** Why no call is to be made, whatever the plan says. */
  readonly failure: ChatFailure | null;
}

const UNKNOWN: Standing = { stay: null, takeFrom: null, failure: null };

/** How a look into the ledger ended, when it did not end the request. */
type Undecided = HeldClaim | { readonly kind: 'suspect' } | { readonly kind: 'lost' };

/**
 * The way of a request from its record to its outcome. The outcome is in the ledger and its chunks are acknowledged when
 * this resolves; nothing of it is visible yet but chunks and MessageSent.
 *
 * @throws the signal's reason when the service stops or the worker lost its lease: there is no outcome then, the claim is
 *   released if it can be, and the record will be delivered again
 */
export async function handleRequest(
  job: RequestToHandle,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<HandledRequest> {
  const { record, request, problems } = job.accepted;
  await turnForOthers(record);

  // 1 What cannot be right is refused before anything is spent, by its content alone: no ledger is needed for that.
  const wrong = [...problems, ...validateRequest(request, problems)];
  await turnForOthers(record);
  wrong.push(...(await checkDefinitions(request, options.schemas, wrong, signal)));
  await turnForOthers(record);
  if (wrong.length > 0) return refuse(job, options, invalidRequest(wrong));

  const { tenantId, requestId, deadline } = request;
  let standing = UNKNOWN;
  let waitingSince: number | null = null;
  for (;;) {
    // 2 Decide provider, model and limits; what this refuses may depend on the time, so it goes through the ledger.
    const planned = standing.failure ?? tryPlan(job, options);
    await turnForOthers(record);

    // 3 Wait until there is memory and the provider may be called, before anything is claimed: nobody else has to wait for us meanwhile.
    const admitted = await admit(planned, job, standing.stay, options, signal);
    let undecided: Undecided;
    try {
      const end = await handleAdmitted(job, admitted, standing, options, signal);
      if (end.kind === 'handled') return end.request;
      undecided = end;
    } finally {
      admitted.permit?.giveBack();
      job.memory.end();
      standing.stay?.leave();
    }

    // Nothing is held while another claim, or a turn in quarantine, is waited for.
    if (undecided.kind === 'lost') standing = UNKNOWN;
    else if (undecided.kind === 'suspect') standing = { ...UNKNOWN, stay: options.quarantine.open() };
    else {
      waitingSince ??= options.clock.now();
      const identity = { tenantId, requestId };
      const waited = await waitForClaim(identity, undecided, deadline, waitingSince, options, signal);
      if (waited.failure !== null && undecided.replay) return refuse(job, options, waited.failure);
      standing = { ...UNKNOWN, ...waited };
    }
  }
}

/** What is going to be called, and the right to do so while there is one. */
interface Admitted {
  readonly plan: CallPlan | ChatFailure;
  /** There is one for each plan of a call. */
  readonly permit: Permit | null;
}

async function admit(
  plan: CallPlan | ChatFailure,
  job: RequestToHandle,
  stay: QuarantineStay | null,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Admitted> {
  if (plan instanceof ChatFailure) return { plan, permit: null };
  const { deadline } = job.accepted.request;
  const admission: Admission<Permit> = {
    take: async (parking) => {
      try {
        await takeMemory(job, parking, signal);
        return await enterGate(plan, deadline, 'last', { ...options, ...parking }, signal);
      } catch (error) {
        job.memory.end();
        throw error;
      }
    },
    giveBack: (permit) => {
      permit.giveBack();
      job.memory.end();
    },
  };
  try {
    const permit =
      stay === null
        ? await admission.take(options)
        : await enterQuarantine(stay, admission, deadline, options, signal);
    return { plan, permit };
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    return { plan: error.code === 'deadline_exceeded' ? deadlineExceeded(false) : error, permit: null };
  }
}

/** @throws ChatFailure when the deadline passes */
async function takeMemory(
  { accepted, memory }: RequestToHandle,
  parking: ParkingOptions,
  signal: AbortSignal,
): Promise<void> {
  const granted = memory.begin();
  if (granted === null) return;
  await waitParked((ended) => untilAborted(granted, ended), accepted.request.deadline, parking, signal);
}

async function handleAdmitted(
  job: RequestToHandle,
  { plan, permit }: Admitted,
  { stay, takeFrom }: Standing,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Undecided | { readonly kind: 'handled'; readonly request: HandledRequest }> {
  const { request } = job.accepted;
  const handled = (end: HandledRequest) => ({ kind: 'handled', request: end }) as const;

  // 4 The ledger: this request is ours now, or has its outcome already, or is somebody else's until then.
  const identity = { tenantId: request.tenantId, requestId: request.requestId };
  const claim = await claimRequest(
    {
      identity,
      bodyHash: requestBodyHash(request),
      source: job.accepted.record,
      draft: plan instanceof ChatFailure ? null : draftOf(plan),
      takeFrom,
      inQuarantine: stay?.isInside ?? false,
    },
    options,
    signal,
  );
  if (claim.kind === 'held' || claim.kind === 'suspect') return claim;
  if (claim.kind === 'conflict') return handled(refuse(job, options, usedForAnother(request.requestId)));
  if (claim.kind === 'done') return handled(answerFromLedger(job, claim, options));

  const attempts: AttemptRow[] = [];
  const quarantined = claim.kind === 'claimed' && claim.quarantined ? stay : null;
  if (quarantined === null) stay?.leave();
  try {
    signal.throwIfAborted();

    // 5 Call the provider; chunks leave while it answers. What the request defined is held against the answer.
    const answered = await answer(job, claim, plan, permit, quarantined, attempts, options, signal);

    // 6 Fold, price, and write the outcome to the ledger.
    return handled(await conclude(job, claim, plan, answered, attempts, options, signal));
  } catch (error) {
    const isLost = error instanceof ClaimLost;
    // Of a claim that was lost in quarantine it tells that this worker did not crash.
    if (!isLost || quarantined !== null)
      await options.ledger
        .release(identity, claim.token, unsettled(claim, plan, attempts))
        .catch(() => undefined);
    if (isLost) return { kind: 'lost' };
    throw error;
  }
}

/**
 * The calls of a claim that is given back. An answer that was not settled is not accepted: whoever handles the request
 * next bills it as aborted. A call that was never made used nothing.
 */
function unsettled(
  claim: OwnClaim,
  plan: CallPlan | ChatFailure,
  attempts: readonly AttemptRow[],
): AttemptRow[] {
  const notMade = attempts.length === 0 && claim.kind === 'claimed' && !(plan instanceof ChatFailure);
  if (notMade) return [neverMade(plan, claim)];
  return attempts.map((attempt) =>
    attempt.disposition === 'ACCEPTED' ? { ...attempt, disposition: 'ABORTED' } : attempt,
  );
}

function neverMade(plan: CallPlan, claim: OwnClaim & { kind: 'claimed' }): AttemptRow {
  return { ...newAttempt(plan, claim.attempt, claim.startedAt), disposition: 'ABORTED' };
}

function tryPlan({ accepted, givenUp }: RequestToHandle, options: HandlerOptions): CallPlan | ChatFailure {
  if (givenUp !== null) return givenUp;
  const { providers, catalog, defaults, clock, budgets } = options;
  const now = clock.now();
  if (isOver(accepted.request.deadline, now)) return deadlineExceeded(false);
  const hasBudget = budgets.of(accepted.request.tenantId).length > 0;
  const counter = hasBudget ? countingExactly(options.tokens) : options.tokens;
  try {
    return planCall(accepted.request, providers, catalog, defaults, now, counter);
  } catch (error) {
    if (error instanceof ChatFailure) return error;
    throw error;
  }
}

function isOver(deadline: number | null, now: number): boolean {
  return deadline !== null && deadline <= now;
}

function draftOf(plan: CallPlan) {
  return {
    provider: plan.provider.name,
    account: plan.provider.account,
    model: plan.model.id,
    estimatedInputTokens: plan.estimatedInputTokens,
  };
}

async function answer(
  job: RequestToHandle,
  claim: OwnClaim,
  plan: CallPlan | ChatFailure,
  permit: Permit | null,
  stay: QuarantineStay | null,
  attempts: AttemptRow[],
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Answered> {
  if (claim.kind === 'poisoned') return { answer: null, failure: poisoned(claim.crashes) };
  if (plan instanceof ChatFailure) return { answer: null, failure: plan };
  const { record, request, orderKey } = job.accepted;
  if (permit === null || isOver(request.deadline, options.clock.now())) {
    // It passed while the ledger was asked.
    attempts.push(neverMade(plan, claim));
    return { answer: null, failure: deadlineExceeded(false) };
  }
  // The permit is there first: nobody holds back a budget while waiting.
  const identity = { tenantId: request.tenantId, requestId: request.requestId };
  const { refusal, warnings } = await reserveBudget(identity, plan, claim.startedAt, options, signal);
  if (refusal !== null) {
    attempts.push(neverMade(plan, claim));
    return { answer: null, failure: refusal };
  }
  const { clock } = options;
  const limit = limitTime(signal, request.deadline, options.requestTimeoutMs, clock.now());
  const nextPermit = async (order: 'next' | 'last') => {
    limit.pause(clock.now());
    const admission: Admission<Permit> = {
      take: (parking) => enterGate(plan, null, order, { ...options, ...parking }, limit.signal),
      giveBack: (taken) => taken.giveBack(),
    };
    try {
      if (stay === null) return await admission.take(options);
      const owned = { identity, token: claim.token, ledger: options.ledger };
      return await reenterQuarantine(stay, admission, owned, options, limit.signal);
    } finally {
      limit.resume(clock.now());
    }
  };
  try {
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
    // The broker may be away for long: a stop must not wait for it.
    const { chunkCount, failure } = await untilAborted(last.chunksAcknowledged, signal);
    const answered = { ...last, choices: hasUnencodableValues(failure) ? [] : choices, chunkCount };
    return { answer: answered, failure: last.failure ?? failure, warnings };
  } finally {
    limit.clear();
  }
}
