import { ChatFailure } from '../domain/chat-failure.ts';
import { deadlineExceeded, invalidRequest, poisoned, usedForAnother } from '../domain/refusals.ts';
import type { AttemptRow, ChatProvider, RequestIdentity } from '../ports.ts';
import { answerFromLedger } from './answer-from-ledger.ts';
import { type CallerOptions, callProvider } from './call-provider.ts';
import { type AnswerCheckOptions, checkAnswer } from './check-answer.ts';
import { checkDefinitions } from './check-definitions.ts';
import { hasUnencodableValues } from './chunks/chunk-failure.ts';
import { type ClaimingOptions, ClaimLost, claimRequest } from './claim-request.ts';
import { type Answered, type ConcludeOptions, conclude, type OwnClaim } from './conclude-request.ts';
import type { RequestToHandle } from './decode-request.ts';
import { type EnteringOptions, enterGate } from './enter-gate.ts';
import type { HandledRequest } from './handled-request.ts';
import type { HeldClaims } from './held-claims.ts';
import type { Permit } from './key-gate.ts';
import { type Answer, type ChunksEnd, newAttempt } from './make-call.ts';
import { type CallDefaults, type CallPlan, countingExactly, planCall } from './plan-call.ts';
import { refuse } from './refuse-request.ts';
import { requestBodyHash } from './request-identity.ts';
import { type BudgetDecision, type BudgetOptions, reserveBudget } from './reserve-budget.ts';
import { limitTime } from './time-limit.ts';
import { turnForOthers } from './turn-for-others.ts';
import { untilAborted } from './until-aborted.ts';
import { validateRequest } from './validate-request.ts';
import { waitParked } from './wait-parked.ts';

export interface HandlerOptions
  extends CallerOptions,
    ClaimingOptions,
    EnteringOptions,
    BudgetOptions,
    ConcludeOptions,
    AnswerCheckOptions {
  readonly providers: ReadonlyMap<string, ChatProvider>;
  readonly defaults: CallDefaults;
  /** How long a call and its retries may take in all. */
  readonly requestTimeoutMs: number;
  /** Waits until nothing else runs in this worker; nothing begins until what it resolves with is called. */
  readonly runAlone: () => Promise<() => void>;
  readonly claims: HeldClaims;
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

    // 3 Wait until there is memory and the provider may be called, before anything is claimed: nobody else has to wait for us meanwhile.
    const admitted = await admit(planned, job, options, signal);
    try {
      const handled = await handleAdmitted(job, admitted, options, signal);
      if (handled !== null) return handled;
    } finally {
      admitted.permit?.giveBack();
      job.memory.end();
    }
  }
}

/** What is going to be called, and the right to do so while there is one. */
interface Admitted {
  readonly plan: CallPlan | ChatFailure;
  permit: Permit | null;
}

async function admit(
  plan: CallPlan | ChatFailure,
  job: RequestToHandle,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Admitted> {
  if (plan instanceof ChatFailure) return { plan, permit: null };
  try {
    await takeMemory(job, options, signal);
    const permit = await takePermit(plan, job, options, signal);
    return permit instanceof ChatFailure ? { plan: permit, permit: null } : { plan, permit };
  } catch (error) {
    job.memory.end();
    if (error instanceof ChatFailure) return { plan: error, permit: null };
    throw error;
  }
}

/** @throws ChatFailure when the deadline passes */
async function takeMemory(
  { accepted, memory }: RequestToHandle,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<void> {
  const granted = memory.begin();
  if (granted === null) return;
  await waitParked((ended) => untilAborted(granted, ended), accepted.request.deadline, options, signal).catch(
    (error: unknown) => {
      throw error instanceof ChatFailure ? deadlineExceeded(false) : error;
    },
  );
}

async function takePermit(
  plan: CallPlan,
  { accepted }: RequestToHandle,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Permit | ChatFailure> {
  try {
    return await enterGate(plan, accepted.request.deadline, 'last', options, signal);
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    return error.code === 'deadline_exceeded' ? deadlineExceeded(false) : error;
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
      onHeld: () => {
        admitted.permit?.giveBack();
        admitted.permit = null;
      },
    },
    options,
    signal,
  );
  if (claim.kind === 'conflict') return refuse(job, options, usedForAnother(request.requestId));
  if (claim.kind === 'done') return answerFromLedger(job, claim, options);

  const attempts: AttemptRow[] = [];
  let release: (() => void) | null = null;
  const held = { identity, token: claim.token };
  // Whatever is waited for from here on also ends when another worker has taken the claim.
  const whileOurs = AbortSignal.any([signal, options.claims.hold(held)]);
  try {
    signal.throwIfAborted();
    // A request whose workers died twice may be what killed them: it must not drag its neighbours down.
    if (claim.kind === 'claimed' && claim.deaths >= DEATHS_BEFORE_ALONE)
      release = await alone(options, whileOurs);

    // 5 Call the provider; chunks leave while it answers. What the request defined is held against the answer.
    const entering = release === null ? options : { ...options, park: () => async () => undefined };
    const answered = await answer(job, claim, admitted, attempts, entering, whileOurs);

    // 6 Fold, price, and write the outcome to the ledger.
    return await conclude(job, claim, plan, answered, attempts, options, whileOurs);
  } catch (error) {
    if (error instanceof ClaimLost) return null;
    await options.ledger
      .release(identity, claim.token, unsettled(claim, plan, attempts))
      .catch(() => undefined);
    throw error;
  } finally {
    options.claims.letGo(held);
    release?.();
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

async function answer(
  job: RequestToHandle,
  claim: OwnClaim,
  admitted: Admitted,
  attempts: AttemptRow[],
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Answered> {
  const { plan } = admitted;
  if (claim.kind === 'poisoned') return { answer: null, failure: poisoned(claim.deaths) };
  if (plan instanceof ChatFailure) return { answer: null, failure: plan };
  const { record, request, orderKey } = job.accepted;
  if (isOver(request.deadline, options.clock.now())) {
    // It passed while another worker's claim was waited for.
    attempts.push(neverMade(plan, claim));
    return { answer: null, failure: deadlineExceeded(false) };
  }
  // It was given back if another worker's claim was waited for.
  const permit = admitted.permit ?? (await takePermit(plan, job, options, signal));
  if (permit instanceof ChatFailure) {
    attempts.push(neverMade(plan, claim));
    return { answer: null, failure: permit };
  }
  admitted.permit = permit;
  const { clock } = options;
  const limit = limitTime(signal, request.deadline, options.requestTimeoutMs, clock.now());
  const nextPermit = async (order: 'next' | 'last') => {
    limit.pause(clock.now());
    try {
      return await enterGate(plan, null, order, options, limit.signal);
    } finally {
      limit.resume(clock.now());
    }
  };
  try {
    // The permit is there first: nobody holds back a budget while waiting.
    const identity = { tenantId: request.tenantId, requestId: request.requestId };
    const { refusal, warnings } = await reserved(identity, plan, claim.startedAt, options, limit.signal);
    if (refusal !== null) {
      attempts.push(neverMade(plan, claim));
      return { answer: null, failure: refusal };
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
    limit.clear();
  }
}

/** @throws the signal's reason when it is no failure of the request */
async function reserved(
  identity: RequestIdentity,
  plan: CallPlan,
  at: number,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<BudgetDecision> {
  try {
    return await reserveBudget(identity, plan, at, options, signal);
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    // Nothing was sent yet, whatever ran out of time.
    return { refusal: error.code === 'deadline_exceeded' ? deadlineExceeded(false) : error, warnings: [] };
  }
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
