import { RepeatLimiter } from '../../domain/limits/repeat-limiter.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PublishFailure } from './chunk-failure.ts';

/** After a log line, failures of the same kind and reason are only counted for so long. */
const QUIET_MS = 10_000;

const MESSAGES: Readonly<Record<PublishFailure['kind'], string>> = {
  stream: 'the chunks of an attempt cannot be published; its request fails',
  announcement: 'a MessageSent event could not be published and is dropped; its request goes on',
  publisher: 'the chunk publisher met an unexpected error and continues',
};

/** Logs what could not be published. Repeats of a kind and reason are counted in the next line. */
export function publishFailureLog(logger: Logger, clock: Clock): (failure: PublishFailure) => void {
  const limiter = new RepeatLimiter(QUIET_MS);
  return ({ kind, ...fields }) => {
    const suppressed = limiter.take(`${kind} ${fields.reason}`, clock.monotonic());
    if (suppressed === null) return;
    logger[kind === 'announcement' ? 'warn' : 'error']({ ...fields, suppressed }, MESSAGES[kind]);
  };
}
