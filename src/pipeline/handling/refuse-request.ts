import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import { bareRequest, type EchoedRequest } from '../intake/bare-request.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import { buildResponse, buildResponseGenerated } from '../outcome/build-response.ts';
import { encodeOutcome, outcomeEvents, type RequestOutcome } from '../outcome/encode-outcome.ts';
import { type HandledRequest, handled, type OutputOptions } from '../outcome/handled-request.ts';

export interface RefuseOptions extends OutputOptions {
  readonly clock: Clock;
  readonly recordMaxBytes: number;
}

/** A failure that follows from the record alone. It is the same on every delivery, so the transaction alone makes it exactly one. */
export function refuse(job: RequestToHandle, options: RefuseOptions, failure: ChatFailure): HandledRequest {
  const encode = (request: EchoedRequest, maxBytes: number) => {
    const outcome = refusal(job, request, failure, options);
    const values = encodeOutcome(outcome, options.codec, maxBytes);
    return (
      values && { ...handled(job, outcome, outcomeEvents(outcome, values), options, false), inLedger: false }
    );
  };
  const { request } = job.accepted;
  const fitting =
    encode(request, options.recordMaxBytes) ?? encode(bareRequest(request), Number.POSITIVE_INFINITY);
  if (fitting === null) throw new RangeError('a refusal does not fit into a record');
  return fitting;
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
