import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { cancelled } from '../../domain/failures/refusals.ts';
import { RepeatLimiter } from '../../domain/limits/repeat-limiter.ts';
import { LIMITS } from '../../domain/validate/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RequestIdentity } from '../../ports/ledger.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** How long a cancellation works before its request comes: as long as the topic keeps it by default. */
export const REMEMBERED_MS = 24 * 60 * 60 * 1_000;
/** The oldest are forgotten beyond these. */
export const MAX_REMEMBERED = 100_000;
const MAX_BYTES = 32 * 1024 * 1024;
/** About what an entry holds besides its texts. */
const ENTRY_BYTES = 256;
const REASON_MAX_CHARACTERS = 256;
const REQUEST_ID_MAX_CHARACTERS = 128;
/** How long log lines are only counted after one was logged. */
const QUIET_MS = 10_000;

export interface CancellationsOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly metrics: Pick<Metrics, 'cancellation'>;
  readonly logger: Logger;
}

export interface Cancellation extends RequestIdentity {
  /** The caller's words. */
  readonly reason: string | null;
}

type OnCancelled = (failure: ChatFailure) => void;

interface Remembered {
  readonly reason: string | null;
  readonly bytes: number;
  /** By the monotonic clock. */
  readonly until: number;
}

/**
 * The cancellations that this worker has read. Each reaches the requests of its tenant and id that this worker has, and those that
 * it gets within a day. Bounded by time, number and bytes.
 */
export class Cancellations {
  private readonly options: CancellationsOptions;
  /** The oldest first. */
  private readonly remembered = new Map<string, Remembered>();
  private readonly watching = new Map<string, Set<OnCancelled>>();
  private readonly limiter = new RepeatLimiter(QUIET_MS);
  private bytes = 0;

  constructor(options: CancellationsOptions) {
    this.options = options;
  }

  /** @returns false for one that can concern no request; the same one again changes nothing */
  add({ tenantId, requestId, reason }: Cancellation): boolean {
    const identity = { tenantId: tenantId.toWellFormed(), requestId };
    const key = keyOf(identity);
    if (key === null) return false;
    if (this.find(key) !== null) return true;
    const known = this.remember(key, reason && clipped(reason));
    const watching = this.watching.get(key);
    if (watching === undefined) this.options.metrics.cancellation('remembered');
    else for (const onCancelled of watching) this.reach(identity, known, onCancelled);
    return true;
  }

  /**
   * Calls back when the request is cancelled, at once if it was.
   *
   * @returns ends the watching
   */
  watch({ tenantId, requestId }: RequestIdentity, onCancelled: OnCancelled): () => void {
    const key = keyOf({ tenantId, requestId });
    // It is refused for its names.
    if (key === null) return () => undefined;
    const known = this.find(key);
    if (known !== null) {
      this.reach({ tenantId, requestId }, known, onCancelled);
      return () => undefined;
    }
    const watching = this.watching.get(key) ?? new Set();
    this.watching.set(key, watching.add(onCancelled));
    return () => {
      watching.delete(onCancelled);
      if (watching.size === 0 && this.watching.get(key) === watching) this.watching.delete(key);
    };
  }

  private reach(identity: RequestIdentity, { reason }: Remembered, onCancelled: OnCancelled): void {
    const { metrics, logger, clock } = this.options;
    metrics.cancellation('reached');
    const suppressed = this.limiter.take('reached', clock.monotonic());
    const { tenantId, requestId } = identity;
    if (suppressed !== null) logger.info({ requestId, tenantId, suppressed }, 'request cancelled');
    onCancelled(cancelled(reason));
  }

  private find(key: string): Remembered | null {
    const found = this.remembered.get(key);
    return found !== undefined && found.until > this.options.clock.monotonic() ? found : null;
  }

  private remember(key: string, reason: string | null): Remembered {
    const now = this.options.clock.monotonic();
    this.forget(key);
    const bytes = ENTRY_BYTES + 2 * (key.length + (reason?.length ?? 0));
    const added = { reason, bytes, until: now + REMEMBERED_MS };
    this.remembered.set(key, added);
    this.bytes += bytes;
    for (const [oldest, { until }] of this.remembered) {
      if (until > now && this.remembered.size <= MAX_REMEMBERED && this.bytes <= MAX_BYTES) break;
      this.forget(oldest);
    }
    return added;
  }

  private forget(key: string): void {
    this.bytes -= this.remembered.get(key)?.bytes ?? 0;
    this.remembered.delete(key);
  }
}

/** Null for what no request that is handled can have. The line break separates the names: a tenant's may contain one. */
function keyOf({ tenantId, requestId }: RequestIdentity): string | null {
  const isPossible =
    requestId.length <= REQUEST_ID_MAX_CHARACTERS &&
    !requestId.includes('\n') &&
    tenantId.length <= LIMITS.nameCharacters;
  return isPossible ? `${requestId}\n${tenantId}` : null;
}

function clipped(reason: string): string {
  return reason.slice(0, REASON_MAX_CHARACTERS).toWellFormed();
}
