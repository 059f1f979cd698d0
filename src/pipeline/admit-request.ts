import { ChatFailure } from '../domain/chat-failure.ts';
import { deadlineExceeded } from '../domain/refusals.ts';
import type { Admission, WaitLimit } from './admission.ts';
import type { RequestToHandle } from './decode-request.ts';
import type { Permit } from './permit.ts';
import type { CallPlan } from './plan-call.ts';
import { untilAborted } from './until-aborted.ts';

export interface AdmittingOptions {
  readonly admission: Admission;
}

/** What is going to be called, and the right to do so; null when nothing is. */
export interface Admitted {
  readonly plan: CallPlan | ChatFailure;
  readonly permit: Permit | null;
}

/** Waits until the plan may be called. @throws the signal's reason, or that of a stop */
export async function admit(
  plan: CallPlan | ChatFailure,
  job: RequestToHandle,
  options: AdmittingOptions,
  signal: AbortSignal,
): Promise<Admitted> {
  if (plan instanceof ChatFailure) return { plan, permit: null };
  try {
    return { plan, permit: await takePermitAndMemory(plan, job, options, signal) };
  } catch (error) {
    job.memory.end();
    if (error instanceof ChatFailure) return { plan: notCalled(error), permit: null };
    throw error;
  }
}

/** While one of them is waited for, the other is not held: calls that could be made with it go on. */
async function takePermitAndMemory(
  plan: CallPlan,
  { accepted, memory, seat }: RequestToHandle,
  { admission }: AdmittingOptions,
  signal: AbortSignal,
): Promise<Permit> {
  const limit: WaitLimit = { deadline: accepted.request.deadline, signal };
  for (;;) {
    const permit = await admission.enter(seat, plan, 'first', limit);
    const granted = memory.begin();
    if (granted === null) return permit;
    permit.release();
    await admission.wait(seat, (ended) => untilAborted(granted, ended), limit);
    const next = admission.tryEnter(plan);
    if (next !== null) return next;
    memory.end();
  }
}

/** A deadline that passes before there was a call says so. */
function notCalled(failure: ChatFailure): ChatFailure {
  return failure.code === 'deadline_exceeded' ? deadlineExceeded(false) : failure;
}

/** The permit while it is held: others got it if the ledger took long. The claim keeps others waiting, as for a retry. */
export async function stillHeld(
  permit: Permit | null,
  plan: CallPlan,
  { accepted, seat }: RequestToHandle,
  { admission }: AdmittingOptions,
  signal: AbortSignal,
): Promise<Permit | ChatFailure> {
  if (permit?.isHeld) return permit;
  try {
    return await admission.enter(seat, plan, 'again', { deadline: accepted.request.deadline, signal });
  } catch (error) {
    if (error instanceof ChatFailure) return notCalled(error);
    throw error;
  }
}
