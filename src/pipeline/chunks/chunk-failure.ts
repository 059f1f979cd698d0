import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { Internal } from '../../domain/failures/failure-classes.ts';
import type { ChunkDraft } from './chunk-draft.ts';
import { DoesNotFit } from './pieces.ts';

/** Why a stream of chunks, or an announcement, was given up: a closed set or a broker's name of an error. */
export type PublishFailureReason = 'encoding' | 'too_large' | 'unexpected' | (string & {});

/** What was not published and why. */
export interface PublishFailure {
  readonly kind: 'stream' | 'announcement' | 'publisher';
  readonly reason: PublishFailureReason;
  readonly topic: string | null;
  readonly requestId: string | null;
  readonly tenantId: string | null;
  readonly attempt: number | null;
  /** Never of a text of an answer: it is logged. */
  readonly error: string;
}

/** The chunks of an attempt cannot be published, which ends its request. Messages carry no value of an answer. */
export class ChunksNotPublished extends Internal {
  readonly reason: PublishFailureReason;

  constructor(reason: PublishFailureReason, message: string) {
    super(message, false);
    this.reason = reason;
  }
}

/** Whether an answer has values that no record can carry, so that its response must do without them. */
export function hasUnencodableValues(failure: ChatFailure | null): boolean {
  return failure instanceof ChunksNotPublished && failure.reason === 'encoding';
}

const INT_MAX = 2_147_483_647;

/** What an error while a chunk was split or encoded means for its stream. */
export function failureOfSealing(
  error: unknown,
  draft: ChunkDraft | null,
  topic: string,
  maxBytes: number,
): ChunksNotPublished {
  if (error instanceof ChunksNotPublished) return error;
  if (error instanceof DoesNotFit) return tooLarge(error.field, topic, maxBytes);
  return new ChunksNotPublished(
    'encoding',
    `The provider's answer has a value in ${oddField(draft)} that no chunk can carry, so the call was ended; what it used is billed. Compare the provider's stream with its documentation, or send the request with stream: false.`,
  );
}

/** A part of an answer is larger than the topic takes, and has no parts itself. */
export function tooLarge(field: string, topic: string, maxBytes: number): ChunksNotPublished {
  return new ChunksNotPublished(
    'too_large',
    `A chunk of the answer does not fit into ${topic} because of its ${field}, so the call was ended; what it used is billed. Records take up to ${maxBytes} bytes there: raise the topic's max.message.bytes.`,
  );
}

/** A broker refused a chunk for good. */
export function refusedByBroker(errorType: string, topic: string): ChatFailure & ChunksNotPublished {
  return new ChunksNotPublished(
    errorType,
    `The broker refused a chunk of the answer with ${errorType}, so the call was ended; what it used is billed. Look at the settings of ${topic} (max.message.bytes) and at the service's right to write to it.`,
  );
}

function oddField(draft: ChunkDraft | null): string {
  if (draft === null) return 'a field';
  if (!isInt(draft.choiceIndex)) return 'choices[].index';
  if (draft.toolCalls.some(({ index }) => !isInt(index))) return 'tool_calls[].index';
  const expiresAt = draft.audio?.expiresAt ?? 0;
  if (!Number.isSafeInteger(expiresAt)) return 'audio.expires_at';
  return 'a field';
}

function isInt(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= INT_MAX;
}
