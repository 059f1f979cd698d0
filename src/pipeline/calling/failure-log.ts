import type { ChatFailure, ErrorCode } from '../../domain/failures/chat-failure.ts';
import type { Logger } from '../../runtime/logger.ts';

type Level = 'error' | 'warn' | 'info';

/** By who has to act: errors need the operator, warnings pass or concern the provider, the rest concerns the caller. */
const LEVELS: Readonly<Record<ErrorCode, Level>> = {
  invalid_credentials: 'error',
  permission_denied: 'error',
  quota_exceeded: 'error',
  internal: 'error',
  poison: 'error',
  rate_limited: 'warn',
  provider_unavailable: 'warn',
  provider_error: 'warn',
  stream_interrupted: 'warn',
  timeout: 'warn',
  invalid_request: 'info',
  context_length_exceeded: 'info',
  content_filtered: 'info',
  model_not_found: 'info',
  deadline_exceeded: 'info',
  budget_exceeded: 'info',
  cancelled: 'info',
};

/** After a full log line, further failures of its kind are only counted for so long. */
const QUIET_MS = 60_000;

/** Which call failed. */
export interface FailedCallFacts {
  readonly requestId: string;
  readonly tenantId: string;
  readonly provider: string;
  readonly model: string;
  readonly attempt: number;
}

interface Kind {
  more: number;
  readonly logRest: () => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Logs failed provider calls. The first of a kind (provider and code) is logged in full, further ones within a minute only as a
 * number: a thousand failures are two lines. Messages of failures never contain a prompt, an answer or a secret.
 */
export class FailureLog {
  readonly #logger: Logger;
  readonly #kinds = new Map<string, Kind>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  note(failure: ChatFailure, call: FailedCallFacts): void {
    const { code } = failure;
    const key = `${call.provider} ${code}`;
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.more += 1;
      return;
    }
    const { message, retryable, httpStatus, providerCode, providerRequestId, retryAfterMs, cause } = failure;
    const facts = { ...call, code, retryable, httpStatus, providerCode, providerRequestId, retryAfterMs };
    this.#logger[LEVELS[code]]({ ...facts, ...(cause !== undefined && { err: cause }) }, message);
    this.#countFurther(key, call.provider, code);
  }

  /** Logs the failures that were only counted so far. */
  close(): void {
    for (const { timer, logRest } of this.#kinds.values()) {
      clearTimeout(timer);
      logRest();
    }
  }

  #countFurther(key: string, provider: string, code: ErrorCode): void {
    const logRest = (): void => {
      this.#kinds.delete(key);
      if (kind.more === 0) return;
      this.#logger[LEVELS[code]](
        { provider, code, calls: kind.more },
        'further calls failed in the same way',
      );
    };
    const kind: Kind = { more: 0, logRest, timer: setTimeout(logRest, QUIET_MS).unref() };
    this.#kinds.set(key, kind);
  }
}
