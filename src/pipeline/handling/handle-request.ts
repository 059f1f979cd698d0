import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { deadlineExceeded, invalidRequest, usedForAnother } from '../../domain/failures/refusals.ts';
import { turnForOthers } from '../../runtime/turn-for-others.ts';
import { type CallPlan, countingExactly, planCall } from '../admission/plan-call.ts';
import { type Admitted, admit } from '../claims/admit-request.ts';
import type { HeldClaim } from '../claims/claim-watches.ts';
import { type Standing, UNKNOWN } from '../claims/claims.ts';
import { ClaimLost } from '../claims/own-claim.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import type { HandledRequest } from '../outcome/handled-request.ts';
import { answerFromLedger } from './answer-from-ledger.ts';
import { answer, isOver } from './answer-request.ts';
import { checkDefinitions } from './check-definitions.ts';
import { conclude } from './conclude-request.ts';
import type { HandlerOptions } from './handler-options.ts';
import { refuse } from './refuse-request.ts';
import { validateRequest } from './validate-request.ts';

/** A result of reading the ledger that did not end the request. */
type Undecided = HeldClaim | { readonly kind: 'suspect' } | { readonly kind: 'lost' };

/**
 * The request lifecycle, from its record to its outcome. When this resolves, the outcome is in the ledger and its chunks are
 * acknowledged. So far only the chunks and MessageSent are visible.
 *
 * @throws the signal's reason if the service stops or the worker lost its lease. There is no outcome then; the claim is
 *   released if possible, and the request is redelivered
 */
export async function handleRequest(
  job: RequestToHandle,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<HandledRequest> {
  const { record, request, problems } = job.accepted;
  await turnForOthers(record);

  // 1 Refuse an invalid request before anything is spent. Its content alone decides, so the ledger is not needed.
  const wrong = [...problems, ...validateRequest(request, problems)];
  await turnForOthers(record);
  wrong.push(...(await checkDefinitions(request, options.checker.schemas, wrong, signal)));
  await turnForOthers(record);
  if (wrong.length > 0) return refuse(job, options.outcomes, invalidRequest(wrong));

  const { admission, caller, claims, outcomes } = options;
  let standing = UNKNOWN;
  let waitingSince: number | null = null;
  const whileWanted = AbortSignal.any([signal, job.cancelled]);
  for (;;) {
    // 2 Decide provider, model and limits. These refusals may depend on the time, so they go through the ledger.
    const planned = standing.failure ?? tryPlan(job, options);
    await turnForOthers(record);

    // 3 Wait for memory and a permit before claiming anything, so that nobody waits for this claim meanwhile.
    const admitted = await admit(planned, job, standing.stay, admission, whileWanted);
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

    // A request that waits for another claim or for quarantine holds nothing.
    if (undecided.kind === 'lost') standing = UNKNOWN;
    else if (undecided.kind === 'suspect') standing = { ...UNKNOWN, stay: claims.quarantine.open() };
    else {
      waitingSince ??= caller.clock.now();
      standing = await claims.wait(job, undecided, waitingSince, signal);
      if (standing.failure !== null && undecided.replay) return refuse(job, outcomes, standing.failure);
    }
  }
}

async function handleAdmitted(
  job: RequestToHandle,
  { plan, permit }: Admitted,
  standing: Standing,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<Undecided | { readonly kind: 'handled'; readonly request: HandledRequest }> {
  const { accepted } = job;
  const { budgets, claims, outcomes } = options;
  const handled = (end: HandledRequest) => ({ kind: 'handled', request: end }) as const;

  // 4 Ask the ledger. It grants the claim, has the outcome already, or names the worker that has the claim.
  const called = plan instanceof ChatFailure ? null : plan;
  const taken = await claims.take(accepted, called, standing, signal);
  if (taken.kind === 'held' || taken.kind === 'suspect') return taken;
  if (taken.kind === 'conflict')
    return handled(refuse(job, outcomes, usedForAnother(accepted.request.requestId)));
  if (taken.kind === 'done') return handled(answerFromLedger(job, taken, outcomes));

  const { claim } = taken;
  const stay = claim.isQuarantined ? standing.stay : null;
  if (stay === null) standing.stay?.leave();
  // Every wait from here on also ends if another worker takes the claim.
  const whileOurs = claims.held.hold(claim, signal);
  try {
    whileOurs.throwIfAborted();

    // 5 Call the provider; its chunks are published while it answers. Check the answer against the request's definitions.
    const answered = await answer(job, claim, { plan, permit }, stay, options, whileOurs);

    // 6 Fold, price, and write the outcome to the ledger.
    const end = await conclude(job, claim, plan, answered, outcomes, whileOurs);
    // If there is a bill, the role ledger releases the budget when it counts it.
    if (end.bill === null) budgets.budgets.release(claim.identity);
    return handled(end);
  } catch (error) {
    const isLost = error instanceof ClaimLost;
    // For a claim that was lost in quarantine, this records that the worker did not crash.
    if (!isLost || stay !== null) await claim.release();
    if (isLost) return { kind: 'lost' };
    throw error;
  } finally {
    claims.held.letGo(claim);
  }
}

function tryPlan(
  { accepted, givenUp, cancelled }: RequestToHandle,
  options: HandlerOptions,
): CallPlan | ChatFailure {
  if (givenUp !== null) return givenUp;
  if (cancelled.aborted) return cancelled.reason as ChatFailure;
  const { providers, catalog, defaults, tokens } = options.planning;
  const now = options.caller.clock.now();
  const { request } = accepted;
  if (isOver(request.deadline, now)) return deadlineExceeded(false);
  const hasBudget = options.budgets.budgets.of(request.tenantId).length > 0;
  try {
    return planCall(request, providers, catalog, defaults, now, hasBudget ? countingExactly(tokens) : tokens);
  } catch (error) {
    if (error instanceof ChatFailure) return error;
    throw error;
  }
}
