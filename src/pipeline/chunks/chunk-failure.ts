import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { Internal } from '../../domain/failures/failure-classes.ts';
import type { ChunkDraft } from './chunk-draft.ts';
import { DoesNotFit } from './pieces.ts';

/** Why chunks or an announcement were not published: one of a closed set, or the broker's name of an error. */
export type PublishFailureReason = 'encoding' | 'too_large' | 'unexpected' | (string & {});

/** What was not published, and why. */
export interface PublishFailure {
  readonly kind: 'stream' | 'announcement' | 'publisher';
  readonly reason: PublishFailureReason;
  readonly topic: string | null;
  readonly requestId: string | null;
  readonly tenantId: string | null;
  readonly attempt: number | null;
  /** Safe to log: it quotes no text of an answer. */
  readonly error: string;
}

/** The chunks of an attempt cannot be published, which ends its request. The message quotes no value of the answer. */
export class ChunksNotPublished extends Internal {
  readonly reason: PublishFailureReason;

  constructor(reason: PublishFailureReason, message: string) {
    super(message, false);
    this.reason = reason;
  }
}

/** Whether an answer has values that no record can hold, so that its response must omit them. */
export function hasUnencodableValues(failure: ChatFailure | null): boolean {
  return failure instanceof ChunksNotPublished && failure.reason === 'encoding';
}

const INT_MAX = 2_147_483_647;

/** Converts an error from splitting or encoding a chunk to the failure of its stream. */
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
    `The provider's answer has a value in ${oddField(draft)} that no chunk can hold, so the call was ended; what it used is billed. Compare the provider's stream with its documentation, or send the request with stream: false.`,
  );
}

/** A value of an answer is larger than the topic allows, and cannot be split. */
export function tooLarge(field: string, topic: string, maxBytes: number): ChunksNotPublished {
  return new ChunksNotPublished(
    'too_large',
    `A chunk of the answer does not fit into ${topic} because of its ${field}, so the call was ended; what it used is billed. The topic allows records up to ${maxBytes} bytes: raise its max.message.bytes.`,
  );
}

/** A broker refused a chunk permanently. */
export function refusedByBroker(errorType: string, topic: string): ChatFailure & ChunksNotPublished {
  return new ChunksNotPublished(
    errorType,
    `The broker refused a chunk of the answer with ${errorType}, so the call was ended; what it used is billed. Check the settings of ${topic} (max.message.bytes) and the service's permission to write to it.`,
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
