import type { RecordCodec } from '../../contract/codec.ts';
import { refusedByBroker } from '../../domain/failures/refusals.ts';
import type { OutboundRecord } from '../../ports/kafka.ts';
import { bareRequest } from '../intake/bare-request.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import { withoutContent } from '../intake/without-content.ts';
import { chatError } from './build-response.ts';
import {
  type EventValue,
  encodeOutcome,
  outcomeEvents,
  type RequestOutcome,
  replayEvents,
} from './encode-outcome.ts';
import type { OutputRecords } from './output-records.ts';

/** The records that a request ends with, and the facts for its metrics. */
export interface HandledRequest {
  readonly records: readonly OutboundRecord[];
  /** What to publish if the broker refuses those permanently: a failure that keeps the cost. */
  recordsIfRefused(): OutboundRecord[];
  /** What to publish if the broker refuses that too: of constant size, whatever the request was. */
  recordsOfLastResort(): OutboundRecord[];
  /** What to publish if it refuses that as well: only the bill, unchanged. Null if the request has no bill. */
  readonly bill: OutboundRecord | null;
  /** Whether it is in the ledger, so that it has to be marked once it is visible. */
  readonly inLedger: boolean;
  readonly status: string;
  readonly code: string | null;
  readonly model: string | null;
  readonly replayed: boolean;
}

export interface OutputOptions {
  readonly outputs: OutputRecords;
  /** How outcomes are stored and published: single-object Avro. */
  readonly codec: RecordCodec;
}

/**
 * The end of a request: the records of its outcome, and smaller ones in case the broker refuses these.
 *
 * @param events of the outcome to publish; empty if it is already visible
 */
export function handled(
  job: RequestToHandle,
  outcome: RequestOutcome,
  events: readonly EventValue[],
  options: OutputOptions,
  replayed: boolean,
): HandledRequest {
  const { record, orderKey } = job.accepted;
  const { response } = outcome;
  const code = response.error?.code ?? null;
  // This is kept until the records are visible, so it must hold neither the request nor the answer.
  const origin = { record: withoutContent(record), orderKey, trace: job.trace };
  const toRecords = (values: readonly EventValue[]) =>
    values.map((event) => options.outputs.settled(event, origin));
  const letters: OutboundRecord[] = [];
  if (code === 'poison' && response.error !== null && !replayed && events.length > 0) {
    letters.push(options.outputs.dead(record, { code, message: response.error.message }));
  }
  // Built only if needed: an error with its stack for each request is expensive.
  const failed = () => refused(outcome);
  const eventsOf = (form: RequestOutcome) =>
    replayed ? replayEvents(form, options.codec) : refusedEvents(form, options.codec);
  const bill = events.find(({ name }) => name === 'CostCalculated');
  return {
    bill: bill === undefined ? null : options.outputs.settled(bill, origin),
    records: [...toRecords(events), ...letters],
    recordsIfRefused: () => [
      ...toRecords(eventsOf(failed())),
      ...letters.map((letter) => options.outputs.deadWithoutValue(letter)),
    ],
    recordsOfLastResort: () => [
      ...toRecords(eventsOf(withoutEcho(failed()))).map((one) => ({ ...one, key: null })),
      ...letters.map((letter) => options.outputs.deadMinimal(letter)),
    ],
    inLedger: true,
    status: response.status,
    code,
    model: response.model,
    replayed,
  };
}

/** The same outcome without its answer: small enough for any topic, with the same bill. */
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

/** With clipped ids, without labels, and without the provider's own words. */
function withoutEcho({ response, generated, cost }: RequestOutcome): RequestOutcome {
  const userId = cost?.userId ?? null;
  const echoed = bareRequest({ ...response, userId, model: response.requestedModel });
  const { requestId, tenantId, conversationId, provider, labels } = echoed;
  const ids = { requestId, tenantId, conversationId, labels };
  return {
    response: {
      ...response,
      ...ids,
      provider,
      requestedModel: echoed.model,
      warnings: [],
      moderationJson: null,
    },
    generated: { ...generated, ...ids, provider, usage: null, finishReasons: [] },
    cost: cost && {
      ...cost,
      ...ids,
      userId: echoed.userId,
      usage: { ...cost.usage, rawJson: null },
      calls: cost.calls.map((call) => ({ ...call, usage: { ...call.usage, rawJson: null } })),
    },
  };
}

function refusedEvents(form: RequestOutcome, codec: RecordCodec): EventValue[] {
  const values = encodeOutcome(form, codec, Number.POSITIVE_INFINITY);
  return values === null ? [] : outcomeEvents(form, values);
}
