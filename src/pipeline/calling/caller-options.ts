import type { Clock } from '../../ports/clock.ts';
import type { TokenCounter } from '../../ports/tokens.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ChunkPublisher } from '../chunks/chunk-publisher.ts';
import type { OutputOptions } from '../outcome/handled-request.ts';
import type { FailureLog } from './failure-log.ts';
import type { FirstTokenPolicy } from './first-token-timeout.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import type { RetryPolicy } from './retry-policy.ts';

export interface CallPolicy extends RetryPolicy, FirstTokenPolicy {
  /** For the whole of an answer that is not streamed. Default: as for the first piece. */
  readonly unstreamedTimeoutMs?: number;
  readonly idleTimeoutMs: number;
  /** The longest time for all calls of a request, retries included. */
  readonly requestTimeoutMs: number;
}

export interface CallerOptions {
  /** Where MessageSent goes. */
  readonly output: OutputOptions;
  readonly chunks: ChunkPublisher;
  readonly progress: ProgressReporter;
  readonly failures: FailureLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly policy: CallPolicy;
  readonly tokens: TokenCounter;
}
