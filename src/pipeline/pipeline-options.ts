import type { Logger } from '../logger.ts';
import type { LaneTransport, RequestSource } from '../ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { DecodeOptions } from './decode-request.ts';
import type { HandlerOptions } from './handle-request.ts';

/** What the pipeline is made of, and its limits. */
export interface PipelineOptions {
  readonly source: RequestSource;
  readonly transport: LaneTransport;
  readonly decode: DecodeOptions;
  readonly handler: Omit<HandlerOptions, 'quarantine' | 'watches' | 'logger'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly groupId: string;
  /** Requests that `handler.admission` lets run at a time. */
  readonly maxInFlight: number;
  /** Bytes of accepted requests, their answers and outcomes (`MemoryBudget`). */
  readonly maxInFlightBytes: number;
  /** Bytes of one transaction's records per output topic. */
  readonly batchMaxBytes: number;
  /** Milliseconds between the beginnings of a busy lane's transactions. */
  readonly settleSpacingMs: number;
  /** The consumer is dead: the process must end. */
  onCrash(error: Error): void;
}
