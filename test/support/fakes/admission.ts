import {
  Admission,
  type AdmissionOptions,
  type PlannedCall,
} from '../../../src/pipeline/admission/admission.ts';
import type { Seat } from '../../../src/pipeline/admission/slots.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { createLogger } from '../../../src/runtime/logger.ts';

/** A clock by which an hour has passed whenever it is looked at: nothing has to be waited for. */
export function hurry(): Clock {
  let hours = 0;
  const monotonic = () => {
    hours += 1;
    return hours * 3_600_000;
  };
  return { now: () => 0, monotonic };
}

/** With many slots, and without any knowledge of a provider's limits. */
export function admissionOf(clock: Clock, options: Partial<AdmissionOptions> = {}): Admission {
  return new Admission({
    maxRunning: 1_000_000,
    weightOf: () => 1,
    clock,
    random: () => 0,
    outage: 'wait',
    logger: createLogger({ level: 'silent' }),
    onWaited: () => undefined,
    ...options,
  });
}

/** What a gate has to know of a call to OpenAI. */
export function callTo(model: string, tokens = 10): PlannedCall {
  return {
    provider: { name: 'openai', account: null },
    model: { id: model },
    estimatedInputTokens: tokens,
    maxOutputTokens: null,
  };
}

let keys = 0;

/** Runs work as a task with a key of its own. */
export function inSlot<Result>(
  admission: Admission,
  work: (seat: Seat) => Promise<Result>,
  owner = 'default',
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  keys += 1;
  admission.schedule({ key: `own-${keys}`, owner, run: (seat) => work(seat).then(resolve, reject) });
  return promise;
}

/** The seat of a task that runs for ever; there must be a free slot. */
export function runningSeat(admission: Admission, owner = 'default'): Seat {
  const begun: Seat[] = [];
  void inSlot(
    admission,
    (seat) => {
      begun.push(seat);
      return new Promise(() => undefined);
    },
    owner,
  );
  const [seat] = begun;
  if (seat === undefined) throw new Error('there is no free slot');
  return seat;
}
