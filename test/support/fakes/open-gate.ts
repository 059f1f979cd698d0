import { createLogger } from '../../../src/logger.ts';
import type { KeyGateOptions } from '../../../src/pipeline/key-gate.ts';
import { ProviderGate } from '../../../src/pipeline/provider-gate.ts';
import type { Clock } from '../../../src/ports.ts';

/** A clock by which an hour has passed whenever it is looked at: nothing has to be waited for. */
export function hurry(): Clock {
  let hours = 0;
  const monotonic = () => {
    hours += 1;
    return hours * 3_600_000;
  };
  return { now: () => 0, monotonic };
}

/** A gate that knows of no limits yet. */
export function openGate(clock: Clock, options: Partial<KeyGateOptions> = {}): ProviderGate {
  return new ProviderGate({
    clock,
    random: () => 0,
    outage: 'wait',
    logger: createLogger({ level: 'silent' }),
    onWaited: () => undefined,
    ...options,
  });
}
