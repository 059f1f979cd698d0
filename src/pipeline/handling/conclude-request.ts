import type { Problem } from '../../contract/record-types.ts';
import { unfoldChoices } from '../../domain/completion/unfold-choices.ts';
import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { internalFailure, tooLargeToPublish } from '../../domain/failures/refusals.ts';
import type { Catalog } from '../../ports/catalog.ts';
import type { Clock } from '../../ports/clock.ts';
import { type AttemptRow, type StoredOutcome, StoreUnavailable } from '../../ports/ledger.ts';
import type { Logger } from '../../runtime/logger.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { CallPlan } from '../admission/plan-call.ts';
import type { ChunkPublisher } from '../chunks/chunk-publisher.ts';
import { ClaimLost, type OwnClaim } from '../claims/own-claim.ts';
import { bareRequest, type EchoedRequest } from '../intake/bare-request.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import type { Answer } from '../outcome/answer.ts';
import { buildCost } from '../outcome/build-cost.ts';
import { buildResponse, buildResponseGenerated, responseStatus } from '../outcome/build-response.ts';
import { costWarnings } from '../outcome/cost-warnings.ts';
import { encodeOutcome, needsChunks, outcomeEvents, type RequestOutcome } from '../outcome/encode-outcome.ts';
import { type HandledRequest, handled, type OutputOptions } from '../outcome/handled-request.ts';

export interface OutcomeOptions extends OutputOptions {
  readonly catalog: Catalog;
  readonly chunks: ChunkPublisher;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly recordMaxBytes: number;
}

/** The result of the calls: an answer, a failure, or a broken answer with its failure. */
export interface Answered {
  readonly answer: Answer | null;
  readonly failure: ChatFailure | null;
  /** Warnings of the response besides those of the plan. */
  readonly warnings?: readonly Problem[];
}

/** Everything that the outcome of a claimed request is built from. */
interface Conclusion {
  readonly job: RequestToHandle;
  readonly claim: OwnClaim;
  readonly plan: CallPlan | ChatFailure;
  readonly options: OutcomeOptions;
}

type EncodedOutcome = Omit<StoredOutcome, 'remembered'>;

/**
 * Builds the outcome of a claimed request and writes it to the ledger.
 *
 * @throws ClaimLost; the signal's reason if it fires while a large answer's chunks are being published
 */
export async function conclude(
  job: RequestToHandle,
  claim: OwnClaim,
  planned: CallPlan | ChatFailure,
  { answer, failure, warnings = [] }: Answered,
  options: OutcomeOptions,
  signal: AbortSignal,
): Promise<HandledRequest> {
  const plan =
    planned instanceof ChatFailure ? planned : { ...planned, warnings: [...planned.warnings, ...warnings] };
  const conclusion: Conclusion = { job, claim, plan, options };

  // 1 The whole outcome. What does not fit into a record is cut, and published in chunks.
  const whole = async () =>
    (await fitting(conclusion, answer, failure, signal)) ??
    // Too large even without its content: the bill stays, the answer becomes a failure.
    encode(conclusion, null, tooLargeToPublish(options.recordMaxBytes)) ??
    bare(conclusion);
  // 2 If it cannot be encoded or stored: a failure of constant size that keeps its calls.
  try {
    return await store(conclusion, await whole());
  } catch (error) {
    if (error instanceof ClaimLost || signal.aborted || !isOfThisOutcome(error)) throw error;
    const { requestId, tenantId } = job.accepted.request;
    options.logger.error({ err: error, requestId, tenantId }, 'outcome cannot be written; storing a failure');
    return store(conclusion, bare(conclusion));
  }
}

/**
 * Whether another form of the outcome may succeed. Only a database that refuses everything is worth a wait. Any other error (of
 * the codec, a price, the ledger's limits) would return after the next call, which costs as much as this one.
 */
function isOfThisOutcome(error: unknown): boolean {
  return !(error instanceof StoreUnavailable);
}

interface Encoded {
  readonly outcome: RequestOutcome;
  readonly values: EncodedOutcome;
}

/** @returns null if it does not fit into a record even without its content */
async function fitting(
  conclusion: Conclusion,
  answer: Answer | null,
  failure: ChatFailure | null,
  signal: AbortSignal,
): Promise<Encoded | null> {
  const encoded = encode(conclusion, answer, failure);
  const hasNoChunks = answer !== null && failure === null && answer.chunkCount === 0;
  if (encoded === null || !hasNoChunks || !needsChunks(encoded.outcome.response)) return encoded;
  try {
    const chunkCount = await publishWhole(conclusion, answer, signal);
    return encode(conclusion, { ...answer, chunkCount }, null);
  } catch (error) {
    // Nothing else carries the cut part.
    if (error instanceof ChatFailure && !signal.aborted) return encode(conclusion, null, error);
    throw error;
  }
}

/** Publishes an answer in chunks although none were requested, because its response cannot hold it. @returns their number */
async function publishWhole(
  { job, options }: Conclusion,
  answer: Answer,
  signal: AbortSignal,
): Promise<number> {
  const { requestId, tenantId } = job.accepted.request;
  const chunks = options.chunks.open({ requestId, tenantId, attempt: answer.attempt, headers: {} });
  for (const delta of unfoldChoices(answer.choices)) {
    const full = chunks.publish([delta]);
    if (full !== undefined) await untilAborted(full, signal);
  }
  await untilAborted(chunks.finish().acknowledged, signal);
  return chunks.count;
}

/** @returns null if it does not fit into a record */
function encode(conclusion: Conclusion, answer: Answer | null, failure: ChatFailure | null): Encoded | null {
  const { codec, recordMaxBytes } = conclusion.options;
  const outcome = buildOutcome(conclusion, answer, failure);
  const values = encodeOutcome(outcome, codec, recordMaxBytes);
  return values && { outcome, values };
}

/** Without any content or price. Calls and their usage are on the bill, to be priced later. */
function bare(conclusion: Conclusion): Encoded {
  const { accepted } = conclusion.job;
  const request = bareRequest(accepted.request);
  const unpriced = { price: () => null };
  const outcome = buildOutcome(
    { ...conclusion, plan: internalFailure() },
    null,
    internalFailure(),
    request,
    unpriced,
  );
  const values = encodeOutcome(outcome, conclusion.options.codec, Number.POSITIVE_INFINITY);
  if (values === null) throw new RangeError('an outcome without an answer does not fit into a record');
  return { outcome, values };
}

async function store(
  { job, claim, options }: Conclusion,
  { outcome, values }: Encoded,
): Promise<HandledRequest> {
  const { response, cost } = outcome;
  const remembered = response.error === null || !response.error.retryable || cost !== null;
  await claim.complete({ ...values, remembered });
  if (cost?.totalCost != null && cost.currency !== null) {
    options.metrics.costCalculated({
      amount: Number(cost.totalCost),
      currency: cost.currency,
      model: response.model ?? 'unknown',
    });
  }
  return handled(job, outcome, outcomeEvents(outcome, values), options, false);
}

function buildOutcome(
  { job, claim, plan, options }: Conclusion,
  answer: Answer | null,
  failure: ChatFailure | null,
  request: EchoedRequest = job.accepted.request,
  prices: Pick<Catalog, 'price'> = options.catalog,
): RequestOutcome {
  const planned = plan instanceof ChatFailure ? null : plan;
  const now = options.clock.now();
  const all = claim.allAttempts;
  // An answer that is too large to publish becomes a failure. It was paid for all the same.
  const accepted = all.findLast(({ disposition }) => disposition === 'ACCEPTED')?.attempt ?? null;
  const estimated = planned?.estimatedCost?.amount ?? null;
  const cost = buildCost(request, all, accepted, responseStatus(failure), estimated, prices, now);
  const response = buildResponse({
    request,
    answer,
    failure,
    requestedModel: planned?.requestedModel ?? request.model,
    provider: planned?.provider.name ?? request.provider,
    warnings: [...(planned?.warnings ?? []), ...costWarnings(cost)],
    attempts: all.filter(wasMade).length,
    cost,
    createdAt: now,
    queuedMs: Math.max(0, claim.startedAt - job.accepted.record.timestamp),
    totalMs: options.clock.monotonic() - job.acceptedMonotonic,
  });
  return { response, generated: buildResponseGenerated(response), cost };
}

/** A call that ended before it was sent has only a row. */
function wasMade({ disposition, usage }: AttemptRow): boolean {
  return disposition !== 'ABORTED' || usage !== null;
}
