import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { deadlineExceeded } from '../../domain/failures/refusals.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { Admission, WaitLimit } from '../admission/admission.ts';
import type { Permit } from '../admission/permit.ts';
import type { CallPlan } from '../admission/plan-call.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import { enterQuarantine, type QuarantineStay, type Supply } from './quarantine.ts';

/** The planned call and the permit for it; null if no call is made. */
export interface Admitted {
  readonly plan: CallPlan | ChatFailure;
  readonly permit: Permit | null;
}

/**
 * Waits until the planned call may be made.
 *
 * @param stay of a suspect, which is called from quarantine
 * @throws the signal's reason, or that of a stop
 */
export async function admit(
  plan: CallPlan | ChatFailure,
  job: RequestToHandle,
  stay: QuarantineStay | null,
  admission: Admission,
  signal: AbortSignal,
): Promise<Admitted> {
  if (plan instanceof ChatFailure) return { plan, permit: null };
  const limit: WaitLimit = { deadline: job.accepted.request.deadline, signal };
  const supply: Supply<Permit> = {
    take: (beforeWait) => takePermitAndMemory(plan, job, admission, limit, beforeWait),
    release: (permit) => {
      permit.release();
      job.memory.end();
    },
    wait: (work) => admission.wait(job.seat, work, limit),
  };
  try {
    const permit = await (stay === null ? supply.take(() => undefined) : enterQuarantine(stay, supply));
    return { plan, permit };
  } catch (error) {
    job.memory.end();
    if (error instanceof ChatFailure) return { plan: notCalled(error), permit: null };
    throw error;
  }
}

/** While it waits for one of the two, it does not hold the other: other calls may use it. */
async function takePermitAndMemory(
  plan: CallPlan,
  { memory, seat }: RequestToHandle,
  admission: Admission,
  limit: WaitLimit,
  beforeWait: () => void,
): Promise<Permit> {
  for (;;) {
    let permit = admission.tryEnter(plan);
    if (permit === null) {
      beforeWait();
      permit = await admission.enter(seat, plan, 'first', limit);
    }
    const granted = memory.begin();
    if (granted === null) return permit;
    permit.release();
    beforeWait();
    await admission.wait(seat, (ended) => untilAborted(granted, ended), limit);
    const next = admission.tryEnter(plan);
    if (next !== null) return next;
    memory.end();
  }
}

/** If a deadline passed before any call, the failure says so. */
export function notCalled(failure: ChatFailure): ChatFailure {
  return failure.code === 'deadline_exceeded' ? deadlineExceeded(false) : failure;
}
