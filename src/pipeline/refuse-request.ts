import type { ChatFailure } from '../domain/chat-failure.ts';
import type { Clock } from '../ports.ts';
import { bareRequest, type EchoedRequest } from './bare-request.ts';
import { buildResponse, buildResponseGenerated } from './build-response.ts';
import type { RequestToHandle } from './decode-request.ts';
import { encodeOutcome, outcomeEvents, type RequestOutcome } from './encode-outcome.ts';
import { type HandledRequest, handled, type OutputOptions } from './handled-request.ts';

export interface RefuseOptions extends OutputOptions {
  readonly clock: Clock;
  readonly recordMaxBytes: number;
}

/** A failure that follows from the record alone: the same on every delivery, so that the transaction alone makes it one. */
export function refuse(job: RequestToHandle, options: RefuseOptions, failure: ChatFailure): HandledRequest {
  const whole = refusal(job, job.accepted.request, failure, options);
  const encode = (outcome: RequestOutcome, maxBytes: number) =>
    encodeOutcome(outcome, options.wireCodec, maxBytes);
  const values = encode(whole, options.recordMaxBytes);
  if (values !== null) {
    const events = outcomeEvents(whole, values, options.wireCodec, options.wireCodec);
    return { ...handled(job, whole, events, options, false), inLedger: false };
  }
  const bare = refusal(job, bareRequest(job.accepted.request), failure, options);
  const fitted = encode(bare, Number.POSITIVE_INFINITY);
  if (fitted === null) throw new RangeError('a refusal does not fit into a record');
  const events = outcomeEvents(bare, fitted, options.wireCodec, options.wireCodec);
  return { ...handled(job, bare, events, options, false), inLedger: false };
}

function refusal(
  job: RequestToHandle,
  request: EchoedRequest,
  failure: ChatFailure,
  { clock }: RefuseOptions,
): RequestOutcome {
  const { record } = job.accepted;
  const response = buildResponse({
    request,
    answer: null,
    failure,
    requestedModel: request.model,
    provider: request.provider,
    warnings: [],
    attempts: 0,
    cost: null,
    createdAt: job.acceptedAt,
    queuedMs: Math.max(0, job.acceptedAt - record.timestamp),
    totalMs: clock.monotonic() - job.acceptedMonotonic,
    refusedAt: `${record.topic}/${record.partition}/${record.offset}`,
  });
  return { response, generated: buildResponseGenerated(response), cost: null };
}
