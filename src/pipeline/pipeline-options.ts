import type { LaneTransport, RequestSource } from '../ports/kafka.ts';
import type { HandlerOptions } from './handling/handler-options.ts';
import type { Cancellations } from './intake/cancellations.ts';
import type { DecodeOptions } from './intake/decode-request.ts';

export interface PipelineLimits {
  /** Requests that `handler.admission` lets run at a time. */
  readonly maxInFlight: number;
  /** Bytes of accepted requests, their answers and outcomes (`MemoryBudget`). */
  readonly maxInFlightBytes: number;
  /** Bytes of one transaction's records per output topic. */
  readonly batchMaxBytes: number;
  /** Milliseconds between the beginnings of a busy lane's transactions. */
  readonly settleSpacingMs: number;
}

/** The parts of the pipeline, and its limits. */
export interface PipelineOptions {
  readonly source: RequestSource;
  readonly transport: LaneTransport;
  readonly decode: DecodeOptions;
  readonly handler: HandlerOptions;
  readonly limits: PipelineLimits;
  readonly cancellations: Cancellations;
  /** The consumer has died: the process must end. */
  onCrash(error: Error): void;
}
