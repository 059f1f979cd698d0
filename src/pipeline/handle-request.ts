import { ChatFailure } from '../domain/chat-failure.ts';
import { deadlineExceeded, invalidRequest, usedForAnother } from '../domain/refusals.ts';
import type { AttemptRow, ChatProvider, ClaimToTake } from '../ports.ts';
import { type Admitted, type AdmittingOptions, admit } from './admit-request.ts';
import { answerFromLedger } from './answer-from-ledger.ts';
import { type AnsweringOptions, answer, isOver, neverMade } from './answer-request.ts';
import { checkDefinitions } from './check-definitions.ts';
import { type ClaimingOptions, ClaimLost, claimRequest } from './claim-request.ts';
import type { HeldClaim } from './claim-watches.ts';
import { type ConcludeOptions, conclude, type OwnClaim } from './conclude-request.ts';
import type { RequestToHandle } from './decode-request.ts';
import type { HandledRequest } from './handled-request.ts';
import type { HeldClaims } from './held-claims.ts';
import { type CallDefaults, type CallPlan, countingExactly, planCall } from './plan-call.ts';
import type { Quarantine, QuarantineStay } from './quarantine.ts';
import { refuse } from './refuse-request.ts';
import { requestBodyHash } from './request-identity.ts';
import { turnForOthers } from './turn-for-others.ts';
import { validateRequest } from './validate-request.ts';
import { type ClaimWaitOptions, waitForClaim } from './wait-for-claim.ts';

export interface HandlerOptions
  extends AdmittingOptions,
    AnsweringOptions,
    ClaimingOptions,
    ClaimWaitOptions,
    ConcludeOptions {
  readonly providers: ReadonlyMap<string, ChatProvider>;
  readonly defaults: CallDefaults;
  /** Where requests that a crashed worker had claimed are called, one at a time. */
  readonly quarantine: Quarantine;
  readonly claims: HeldClaims;
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
      admitted.permit?.release();
      job.memory.end();
      standing.stay?.leave();
    }

    // Nothing is held while another claim, or a turn in quarantine, is waited for.
    if (undecided.kind === 'lost') standing = UNKNOWN;
    else if (undecided.kind === 'suspect') standing = { ...UNKNOWN, stay: options.quarantine.open() };
    else {
      waitingSince ??= options.clock.now();
      const identity = { tenantId, requestId };
      const waited = await waitForClaim(
        identity,
        job.seat,
        undecided,
        deadline,
        waitingSince,
        options,
        signal,
      );
      if (waited.failure !== null && undecided.replay) return refuse(job, options, waited.failure);
      standing = { ...UNKNOWN, ...waited };
    }
  }
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
  const held = { identity, token: claim.token };
  // Whatever is waited for from here on also ends when another worker has taken the claim.
  const whileOurs = options.claims.hold(held, signal);
  try {
    whileOurs.throwIfAborted();

    // 5 Call the provider; chunks leave while it answers. What the request defined is held against the answer.
    const prepared = { plan, permit, stay: quarantined };
    const answered = await answer(job, claim, prepared, attempts, options, whileOurs);

    // 6 Fold, price, and write the outcome to the ledger.
    return handled(await conclude(job, claim, plan, answered, attempts, options, whileOurs));
  } catch (error) {
    const isLost = error instanceof ClaimLost;
    // For a claim that was lost in quarantine this records that the worker did not crash.
    if (!isLost || quarantined !== null)
      await options.ledger
        .release(identity, claim.token, unsettled(claim, plan, attempts))
        .catch(() => undefined);
    if (isLost) return { kind: 'lost' };
    throw error;
  } finally {
    options.claims.letGo(held);
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

function draftOf(plan: CallPlan) {
  return {
    provider: plan.provider.name,
    account: plan.provider.account,
    model: plan.model.id,
    estimatedInputTokens: plan.estimatedInputTokens,
  };
}
