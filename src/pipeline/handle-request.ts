import { setTimeout as pass } from 'node:timers/promises';
import { ChatFailure } from '../domain/chat-failure.ts';
import type { Line } from '../domain/fair-queue.ts';
import { deadlineExceeded, invalidRequest, poisoned, usedForAnother } from '../domain/refusals.ts';
import type { AttemptRow, ChatProvider } from '../ports.ts';
import type { WaitLimit } from './admission.ts';
import { type Admitted, type AdmittingOptions, admit, stillHeld } from './admit-request.ts';
import { answerFromLedger } from './answer-from-ledger.ts';
import { type CallerOptions, callProvider } from './call-provider.ts';
import { type AnswerCheckOptions, checkAnswer } from './check-answer.ts';
import { checkDefinitions } from './check-definitions.ts';
import { hasUnencodableValues } from './chunks/chunk-failure.ts';
import { type ClaimingOptions, ClaimLost, claimRequest } from './claim-request.ts';
import { type Answered, type ConcludeOptions, conclude, type OwnClaim } from './conclude-request.ts';
import type { RequestToHandle } from './decode-request.ts';
import type { HandledRequest } from './handled-request.ts';
import { newAttempt } from './make-call.ts';
import { Permit } from './permit.ts';
import { type CallDefaults, type CallPlan, countingExactly, planCall } from './plan-call.ts';
import { refuse } from './refuse-request.ts';
import { requestBodyHash } from './request-identity.ts';
import { type BudgetOptions, reserveBudget } from './reserve-budget.ts';
import { limitTime } from './time-limit.ts';
import { turnForOthers } from './turn-for-others.ts';
import { untilAborted } from './until-aborted.ts';
import { validateRequest } from './validate-request.ts';

export interface HandlerOptions
  extends CallerOptions,
    AdmittingOptions,
    ClaimingOptions,
    BudgetOptions,
    ConcludeOptions,
    AnswerCheckOptions {
  readonly providers: ReadonlyMap<string, ChatProvider>;
  readonly defaults: CallDefaults;
  /** How long a call and its retries may take in all. */
  readonly requestTimeoutMs: number;
  /** Waits until nothing else runs in this worker; nothing begins until what it resolves with is called. */
  readonly runAlone: () => Promise<() => void>;
}

const DEATHS_BEFORE_ALONE = 2;

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

  for (;;) {
    // 2 Decide provider, model and limits; what this refuses may depend on the time, so it goes through the ledger.
    const planned = tryPlan(job, options);
    await turnForOthers(record);

    // 3 Wait until there is memory and the provider may be called, before anything is claimed: nobody has to wait for us meanwhile.
    const admitted = await admit(planned, job, options, signal);
    try {
      const handled = await handleAdmitted(job, admitted, options, signal);
      if (handled !== null) return handled;
    } finally {
      admitted.permit?.release();
      job.memory.end();
    }
  }
}

/** @returns null when the claim was lost: all is to be decided anew */
async function handleAdmitted(
  job: RequestToHandle,
  admitted: Admitted,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<HandledRequest | null> {
  const { request } = job.accepted;
  const { plan } = admitted;

  // 4 The ledger: this request is ours now, or has its outcome already, or is somebody else's until then.
  const identity = { tenantId: request.tenantId, requestId: request.requestId };
  const claim = await claimRequest(
    {
      identity,
      bodyHash: requestBodyHash(request),
      source: job.accepted.record,
      draft: plan instanceof ChatFailure ? null : draftOf(plan),
      whileHeld: (wait) => {
        admitted.permit?.release();
        return options.admission.wait(job.seat, wait, { deadline: null, signal });
      },
    },
    options,
    signal,
  );
  if (claim.kind === 'conflict') return refuse(job, options, usedForAnother(request.requestId));
  if (claim.kind === 'done') return answerFromLedger(job, claim, options);

  const attempts: AttemptRow[] = [];
  let release: (() => void) | null = null;
  // Nobody gets a slot while it is alone: so it is not alone any more once it waits for one.
  const beforeWait = () => {
    release?.();
    release = null;
  };
  let permit: Permit | ChatFailure | null = admitted.permit;
  try {
    signal.throwIfAborted();
    // A request whose workers died twice may be what killed them: it must not drag its neighbours down.
    if (claim.kind === 'claimed' && claim.deaths >= DEATHS_BEFORE_ALONE && !(plan instanceof ChatFailure)) {
      permit = await stillHeld(permit, plan, job, options, signal);
      release = await alone(options, signal);
    }

    // 5 Call the provider; chunks leave while it answers. What the request defined is held against the answer.
    const answered = await answer(job, claim, { plan, permit, beforeWait }, attempts, options, signal);

    // 6 Fold, price, and write the outcome to the ledger.
    return await conclude(job, claim, plan, answered, attempts, options, signal);
  } catch (error) {
    if (error instanceof ClaimLost) return null;
    await options.ledger
      .release(identity, claim.token, unsettled(claim, plan, attempts))
      .catch(() => undefined);
    throw error;
  } finally {
    if (permit instanceof Permit) permit.release();
    beforeWait();
  }
}

/** @throws the signal's reason when it fires first; whoever is let alone only then gives way at once */
async function alone({ runAlone }: HandlerOptions, signal: AbortSignal): Promise<() => void> {
  const granted = runAlone();
  try {
    return await untilAborted(granted, signal);
  } catch (error) {
    void granted.then((giveWay) => giveWay());
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

/** What a call is made with. */
interface Prepared {
  readonly plan: CallPlan | ChatFailure;
  readonly permit: Permit | ChatFailure | null;
  readonly beforeWait: () => void;
}

async function answer(
  job: RequestToHandle,
  claim: OwnClaim,
  { plan, permit: granted, beforeWait }: Prepared,
  attempts: AttemptRow[],
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Answered> {
  if (claim.kind === 'poisoned') return { answer: null, failure: poisoned(claim.deaths) };
  if (plan instanceof ChatFailure) return { answer: null, failure: plan };
  const { request } = job.accepted;
  const notMade = (failure: ChatFailure): Answered => {
    attempts.push(neverMade(plan, claim));
    return { answer: null, failure };
  };
  // It passed while another worker's claim was waited for.
  if (isOver(request.deadline, options.clock.now())) return notMade(deadlineExceeded(false));
  const hold = async (permit: Permit | ChatFailure | null) => {
    if (permit instanceof ChatFailure || permit?.isHeld) return permit;
    beforeWait();
    return stillHeld(permit, plan, job, options, signal);
  };
  // The permit is there first: nobody holds back a budget while waiting.
  const first = await hold(granted);
  if (first instanceof ChatFailure) return notMade(first);
  let permit: Permit | ChatFailure = first;
  try {
    const identity = { tenantId: request.tenantId, requestId: request.requestId };
    const { refusal, warnings } = await reserveBudget(identity, plan, claim.startedAt, options, signal);
    if (refusal !== null) return notMade(refusal);
    permit = await hold(permit);
    if (permit instanceof ChatFailure) return notMade(permit);
    const answered = await call(job, claim, { plan, permit, beforeWait }, attempts, options, signal);
    return { ...answered, warnings };
  } finally {
    if (permit instanceof Permit) permit.release();
  }
}

async function call(
  { accepted, seat, memory, trace }: RequestToHandle,
  claim: OwnClaim & { kind: 'claimed' },
  { plan, permit, beforeWait }: Prepared & { readonly plan: CallPlan; readonly permit: Permit },
  attempts: AttemptRow[],
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Answered> {
  const { record, request, orderKey } = accepted;
  const { clock, admission } = options;
  const limit = limitTime(signal, request.deadline, options.requestTimeoutMs, clock.now());
  const nextPermit = async (line: Line, delayMs: number) => {
    beforeWait();
    const delay = async (ended: AbortSignal) => {
      await pass(delayMs, undefined, { signal: ended }).catch(() => ended.throwIfAborted());
      limit.pause(clock.now());
    };
    if (delayMs === 0) limit.pause(clock.now());
    try {
      const within: WaitLimit = { deadline: null, signal: limit.signal };
      return await admission.enter(seat, plan, line, within, delayMs === 0 ? null : delay);
    } finally {
      limit.resume(clock.now());
    }
  };
  try {
    const last = await callProvider(
      {
        origin: { record, orderKey, trace },
        identity: { tenantId: request.tenantId, requestId: request.requestId },
        token: claim.token,
        request,
        plan,
        firstAttempt: claim.attempt,
        startedAt: claim.startedAt,
        get endsAt() {
          return limit.endsAt;
        },
        permit,
        memory,
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
    return { answer: answered, failure: last.failure ?? failure };
  } finally {
    limit.clear();
  }
}
