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

/** The records that a request ends with, and what the metrics say of it. */
export interface HandledRequest {
  readonly records: readonly OutboundRecord[];
  /** What to publish instead when the broker refuses those for good: a failure that keeps the cost. */
  recordsIfRefused(): OutboundRecord[];
  /** What to publish when the broker refuses that too: of constant size, whatever the request was. */
  recordsOfLastResort(): OutboundRecord[];
  /** What is published when it refuses that as well: the bill alone, as it is. Null when there is none. */
  readonly bill: OutboundRecord | null;
  /** Whether the ledger knows it, so that it is to be marked when it is visible. */
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
 * What a request ends with: the records of its outcome, and smaller ones for a broker that refuses these.
 *
 * @param events of the outcome as it is to be published; empty when it is visible already
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
  // What is kept until the records are visible must hold neither the request nor the answer.
  const origin = { record: withoutContent(record), orderKey, trace: job.trace };
  const toRecords = (values: readonly EventValue[]) =>
    values.map((event) => options.outputs.settled(event, origin));
  const letters: OutboundRecord[] = [];
  if (code === 'poison' && response.error !== null && !replayed && events.length > 0) {
    letters.push(options.outputs.dead(record, { code, message: response.error.message }));
  }
  // Built only when it is needed: an error with its stack for each request is dear.
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

/** With clipped ids, without labels, and without what the provider reported word by word. */
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
