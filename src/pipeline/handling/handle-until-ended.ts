import { internalFailure } from '../../domain/failures/refusals.ts';
import { StoreUnavailable } from '../../ports/ledger.ts';
import { backoff } from '../../runtime/backoff.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import type { HandledRequest } from '../outcome/handled-request.ts';
import { handleRequest } from './handle-request.ts';
import type { HandlerOptions } from './handler-options.ts';
import { refuse } from './refuse-request.ts';

export type RequestOnItsWay = Omit<RequestToHandle, 'givenUp'>;

/** How often a request is tried when the service itself fails, before its outcome is a failure. */
const TRIES_BEFORE_GIVING_UP = 3;

/**
 * Handles a request until it has an outcome, even if the service itself fails on it. After some tries the request ends as a
 * failure through the ledger. If that fails too, it ends as a failure that needs no ledger. While the database refuses
 * everything, the request waits.
 *
 * @returns null if the service stops or the request was ended: it will be redelivered
 */
export async function handleUntilEnded(
  job: RequestOnItsWay,
  options: HandlerOptions,
  signal: AbortSignal,
): Promise<HandledRequest | null> {
  const { requestId, tenantId } = job.accepted.request;
  for (let tries = 1; ; tries += 1) {
    const isGivenUp = tries > TRIES_BEFORE_GIVING_UP;
    try {
      const givenUp = isGivenUp ? internalFailure() : null;
      return await handleRequest({ ...job, givenUp }, options, signal);
    } catch (error) {
      if (signal.aborted || error === options.admission.draining.reason) return null;
      options.outcomes.logger.error(
        { err: error, requestId, tenantId, tries },
        'handling a request failed; trying again',
      );
      if (isGivenUp && !(error instanceof StoreUnavailable))
        return refuse({ ...job, givenUp: null }, options.outcomes, internalFailure());
    }
    // Others use its slot meanwhile.
    const pause = (ended: AbortSignal) => backoff(tries, ended);
    try {
      await options.admission.wait(job.seat, pause, { deadline: null, signal });
    } catch {
      return null;
    }
  }
}
