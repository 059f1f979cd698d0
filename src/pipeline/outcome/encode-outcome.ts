import type { RecordCodec } from '../../contract/codec.ts';
import type {
  ChatResponse,
  Choice,
  CostCalculated,
  Problem,
  RecordName,
  ResponseGenerated,
} from '../../contract/record-types.ts';
import type { StoredOutcome } from '../../ports/ledger.ts';

/** The outcome of a request before it is encoded. */
export interface RequestOutcome {
  readonly response: ChatResponse;
  readonly generated: ResponseGenerated;
  readonly cost: CostCalculated | null;
}

/** One event to publish. */
export interface EventValue {
  readonly name: RecordName;
  readonly eventId: string;
  /** Event time, epoch ms. */
  readonly at: number;
  readonly value: Uint8Array;
}

interface Cut {
  readonly name: string;
  readonly has: (response: ChatResponse) => boolean;
  readonly cut: (response: ChatResponse) => void;
}

/** What is cut from a response that is too large, in this order. Chunks carry all of it as well. */
const cuts: readonly Cut[] = [
  ofChoices('logprobs', 'logprobsJson', () => null),
  {
    name: 'audio',
    has: ({ choices }) => choices.some(({ audio }) => audio?.data != null),
    cut: ({ choices }) => {
      for (const choice of choices) choice.audio = choice.audio && { ...choice.audio, data: null };
    },
  },
  ofChoices('content', 'content', () => null),
  ofChoices('toolCalls', 'toolCalls', () => []),
  ofChoices('annotations', 'annotations', () => []),
];

/** Fields that chunks may lack: they are cut last, and a warning says that they are lost. */
const losses: readonly Cut[] = [
  {
    name: 'moderation',
    has: ({ moderationJson }) => moderationJson !== null,
    cut: (response) => {
      response.moderationJson = null;
    },
  },
  {
    name: 'extra',
    has: ({ choices, extraJson }) =>
      extraJson !== null || choices.some((choice) => choice.extraJson !== null),
    cut: (response) => {
      response.extraJson = null;
      for (const choice of response.choices) choice.extraJson = null;
    },
  },
];

/** A field of every choice, which is cut by emptying it. */
function ofChoices<Field extends keyof Choice>(name: string, field: Field, empty: () => Choice[Field]): Cut {
  const isFull = (value: unknown) => (Array.isArray(value) ? value.length > 0 : value !== null);
  return {
    name,
    has: ({ choices }) => choices.some((choice) => isFull(choice[field])),
    cut: ({ choices }) => {
      for (const choice of choices) choice[field] = empty();
    },
  };
}

/**
 * Encodes the outcome as records. Fields cut from a response above `maxBytes` are named in its `omitted`.
 *
 * @param outcome its response and choices change if something is cut
 * @returns null if it does not fit even then
 * @throws TypeError when a value does not fit its schema
 */
export function encodeOutcome(
  outcome: RequestOutcome,
  codec: RecordCodec,
  maxBytes: number,
): Omit<StoredOutcome, 'remembered'> | null {
  const { response } = outcome;
  let encoded = codec.encode('ChatResponse', response);
  for (const { name, has, cut } of [...cuts, ...losses]) {
    if (encoded.byteLength <= maxBytes) break;
    if (!has(response)) continue;
    cut(response);
    response.omitted.push(name);
    if (losses.some((loss) => loss.name === name)) response.warnings.push(lost(name, maxBytes));
    encoded = codec.encode('ChatResponse', response);
  }
  const responseGenerated = codec.encode('ResponseGenerated', outcome.generated);
  const cost = outcome.cost === null ? null : codec.encode('CostCalculated', outcome.cost);
  const largest = Math.max(encoded.byteLength, responseGenerated.byteLength, cost?.byteLength ?? 0);
  return largest > maxBytes ? null : { response: encoded, responseGenerated, cost };
}

/** Whether a field was cut that chunks carry. */
export function needsChunks({ omitted }: ChatResponse): boolean {
  return cuts.some(({ name }) => omitted.includes(name));
}

function lost(name: string, maxBytes: number): Problem {
  const path = name === 'extra' ? 'choices.extraJson' : 'moderationJson';
  return {
    path,
    code: 'omitted',
    message: `it does not fit into a record of ${maxBytes} bytes; only the chunks of a streamed answer may carry it; raise RECORD_MAX_BYTES to keep it`,
  };
}

/** Reads an outcome from the ledger. */
export function decodeOutcome(stored: StoredOutcome, codec: RecordCodec): RequestOutcome {
  return {
    response: codec.decode('ChatResponse', stored.response).record,
    generated: codec.decode('ResponseGenerated', stored.responseGenerated).record,
    cost: stored.cost === null ? null : codec.decode('CostCalculated', stored.cost).record,
  };
}

/** The events of an outcome, with the exact bytes that the ledger has. */
export function outcomeEvents(
  { response, generated, cost }: RequestOutcome,
  stored: Omit<StoredOutcome, 'remembered'>,
): EventValue[] {
  const { eventId, createdAt } = response;
  const { eventId: generatedId, occurredAt } = generated;
  const events: EventValue[] = [
    { name: 'ChatResponse', eventId, at: createdAt, value: stored.response },
    { name: 'ResponseGenerated', eventId: generatedId, at: occurredAt, value: stored.responseGenerated },
  ];
  if (cost !== null && stored.cost !== null)
    events.push({ name: 'CostCalculated', eventId: cost.eventId, at: cost.occurredAt, value: stored.cost });
  return events;
}

/** The answer to a repeated request: the response again, without chunks and without a bill. */
export function replayEvents(outcome: RequestOutcome, codec: RecordCodec): EventValue[] {
  const response = { ...outcome.response, replayed: true, chunkCount: 0 };
  const value = codec.encode('ChatResponse', response);
  return [{ name: 'ChatResponse', eventId: response.eventId, at: response.createdAt, value }];
}
