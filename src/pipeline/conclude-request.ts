import type { RecordCodec } from '../contract/codec.ts';
import type { Problem } from '../contract/records.ts';
import { ChatFailure } from '../domain/chat-failure.ts';
import { refusedByBroker, tooLargeToPublish } from '../domain/refusals.ts';
import type {
  AttemptRow,
  Budgets,
  Catalog,
  Clock,
  OutboundRecord,
  RequestLedger,
  StoredOutcome,
} from '../ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { buildCost } from './build-cost.ts';
import { buildResponse, buildResponseGenerated, chatError, responseStatus } from './build-response.ts';
import type { Answer } from './call-provider.ts';
import { ClaimLost, type DecidedClaim } from './claim-request.ts';
import type { RequestToHandle } from './decode-request.ts';
import {
  decodeOutcome,
  type EventValue,
  encodeOutcome,
  outcomeEvents,
  type RequestOutcome,
  replayEvents,
} from './encode-outcome.ts';
import type { OutputRecords } from './output-records.ts';
import type { CallPlan } from './plan-call.ts';

export interface ConcludeOptions {
  readonly ledger: RequestLedger;
  readonly catalog: Catalog;
  readonly budgets: Budgets;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly outputs: OutputRecords;
  /** How outcomes are stored: single-object Avro. */
  readonly ledgerCodec: RecordCodec;
  /** How records are published; the same codec when the framing is the same. */
  readonly wireCodec: RecordCodec;
  readonly recordMaxBytes: number;
}

/** The records that a request ends with, and what the metrics say of it. */
export interface HandledRequest {
  readonly records: readonly OutboundRecord[];
  /** What to publish instead when the broker refuses those for good: a failure that keeps the cost. */
  recordsIfRefused(): OutboundRecord[];
  /** Whether the ledger knows it, so that it is to be marked when it is visible. */
  readonly inLedger: boolean;
  readonly status: string;
  readonly code: string | null;
  readonly model: string | null;
  readonly replayed: boolean;
}

export type OwnClaim = Extract<DecidedClaim, { kind: 'claimed' | 'poisoned' }>;

/** What the calls came to: an answer, a failure, or a broken answer with the failure that broke it. */
export interface Answered {
  readonly answer: Answer | null;
  readonly failure: ChatFailure | null;
  /** What the response tells besides the plan's warnings. */
  readonly warnings?: readonly Problem[];
}

/** Builds the outcome of a claimed request and writes it to the ledger. @throws ClaimLost */
export async function conclude(
  job: RequestToHandle,
  claim: OwnClaim,
  planned: CallPlan | ChatFailure,
  { answer, failure, warnings = [] }: Answered,
  attempts: readonly AttemptRow[],
  options: ConcludeOptions,
): Promise<HandledRequest> {
  const { request } = job.accepted;
  const plan =
    planned instanceof ChatFailure ? planned : { ...planned, warnings: [...planned.warnings, ...warnings] };
  const outcome = buildOutcome(job, claim, plan, answer, failure, attempts, options);
  let stored = encodeOutcome(outcome, options.ledgerCodec, options.recordMaxBytes);
  let told = outcome;
  if (stored === null) {
    // Too large even without its content: the bill stays, the answer becomes a failure.
    told = buildOutcome(job, claim, plan, null, tooLargeToPublish(options.recordMaxBytes), attempts, options);
    stored = encodeOutcome(told, options.ledgerCodec, Number.POSITIVE_INFINITY);
    if (stored === null) throw new RangeError('an outcome without an answer does not fit into a record');
  }
  const remembered = told.response.error === null || !told.response.error.retryable || told.cost !== null;
  const identity = { tenantId: request.tenantId, requestId: request.requestId };
  const all = [...claim.earlier, ...attempts];
  if (!(await options.ledger.complete(identity, claim.token, { ...stored, remembered }, all)))
    throw new ClaimLost();
  // With a cost it is released by whoever counts that.
  if (told.cost === null) options.budgets.release(identity);
  if (told.cost?.totalCost != null && told.cost.currency !== null) {
    options.metrics.costCalculated({
      amount: Number(told.cost.totalCost),
      currency: told.cost.currency,
      model: told.response.model ?? 'unknown',
    });
  }
  const events = outcomeEvents(told, stored, options.ledgerCodec, options.wireCodec);
  return handled(job, told, events, options, false);
}

function buildOutcome(
  job: RequestToHandle,
  claim: OwnClaim,
  plan: CallPlan | ChatFailure,
  answer: Answer | null,
  failure: ChatFailure | null,
  attempts: readonly AttemptRow[],
  options: ConcludeOptions,
): RequestOutcome {
  const { request, record } = job.accepted;
  const planned = plan instanceof ChatFailure ? null : plan;
  const now = options.clock.now();
  const all = [...claim.earlier, ...attempts];
  // An answer that is too large to publish becomes a failure, and was paid for all the same.
  const accepted = all.findLast(({ disposition }) => disposition === 'ACCEPTED')?.attempt ?? null;
  const estimated = planned?.estimatedCost?.amount ?? null;
  const cost = buildCost(request, all, accepted, responseStatus(failure), estimated, options.catalog, now);
  const response = buildResponse({
    request,
    answer,
    failure,
    requestedModel: planned?.requestedModel ?? request.model,
    provider: planned?.provider.name ?? request.provider,
    warnings: planned?.warnings ?? [],
    attempts: all.filter(wasMade).length,
    cost,
    createdAt: now,
    queuedMs: Math.max(0, claim.startedAt - record.timestamp),
    totalMs: options.clock.monotonic() - job.acceptedMonotonic,
  });
  return { response, generated: buildResponseGenerated(response), cost };
}

/** A call that was ended before it was sent has a row, and nothing else. */
function wasMade({ disposition, usage }: AttemptRow): boolean {
  return disposition !== 'ABORTED' || usage !== null;
}

/** The outcome as the ledger has it: the original's once more, a replay, or nothing when it is visible already. */
export function answerFromLedger(
  job: RequestToHandle,
  claim: Extract<DecidedClaim, { kind: 'done' }>,
  options: ConcludeOptions,
): HandledRequest {
  const stored: StoredOutcome = claim.outcome;
  const outcome = decodeOutcome(stored, options.ledgerCodec);
  if (claim.settled) return { ...handled(job, outcome, [], options, claim.replay), inLedger: false };
  const events = claim.replay
    ? replayEvents(outcome, options.wireCodec)
    : outcomeEvents(outcome, stored, options.ledgerCodec, options.wireCodec);
  return handled(job, outcome, events, options, claim.replay);
}

/** A failure that follows from the record alone: the same on every delivery, so that the transaction alone makes it one. */
export function refuse(job: RequestToHandle, options: ConcludeOptions, failure: ChatFailure): HandledRequest {
  const { request, record } = job.accepted;
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
    totalMs: options.clock.monotonic() - job.acceptedMonotonic,
    refusedAt: `${record.topic}/${record.partition}/${record.offset}`,
  });
  const outcome = { response, generated: buildResponseGenerated(response), cost: null };
  const stored = encodeOutcome(outcome, options.wireCodec, Number.POSITIVE_INFINITY);
  if (stored === null) throw new RangeError('a refusal does not fit into a record');
  const events = outcomeEvents(outcome, stored, options.wireCodec, options.wireCodec);
  return { ...handled(job, outcome, events, options, false), inLedger: false };
}

function handled(
  job: RequestToHandle,
  outcome: RequestOutcome,
  events: readonly EventValue[],
  options: ConcludeOptions,
  replayed: boolean,
): HandledRequest {
  const { record, orderKey } = job.accepted;
  const { response } = outcome;
  const code = response.error?.code ?? null;
  const toRecords = (values: readonly EventValue[]) =>
    values.map((event) => options.outputs.settled(event, { record, orderKey, trace: job.trace }));
  const letters: OutboundRecord[] = [];
  if (code === 'poison' && response.error !== null && !replayed && events.length > 0) {
    letters.push(options.outputs.dead(record, { code, message: response.error.message }));
  }
  return {
    records: [...toRecords(events), ...letters],
    recordsIfRefused: () => [
      ...toRecords(
        replayed ? replayEvents(refused(outcome), options.wireCodec) : refusedEvents(outcome, options),
      ),
      ...letters.map((letter) => options.outputs.deadWithoutValue(letter)),
    ],
    inLedger: true,
    status: response.status,
    code,
    model: response.model,
    replayed,
  };
}

/** The same outcome without its answer: small enough for any topic, and the bill stays as it is. */
function refused(outcome: RequestOutcome): RequestOutcome {
  const response = {
    ...outcome.response,
    status: 'FAILED' as const,
    choices: [],
    usage: null,
    error: chatError(refusedByBroker()),
    acceptedAttempt: null,
    chunkCount: 0,
  };
  return { response, generated: { ...outcome.generated, status: 'FAILED' as const }, cost: outcome.cost };
}

function refusedEvents(outcome: RequestOutcome, options: ConcludeOptions): EventValue[] {
  const told = refused(outcome);
  const values = encodeOutcome(told, options.wireCodec, Number.POSITIVE_INFINITY);
  return values === null ? [] : outcomeEvents(told, values, options.wireCodec, options.wireCodec);
}
