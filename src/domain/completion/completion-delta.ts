import type { AudioDelta, ToolCallDelta } from '../../contract/record-types.ts';
import { utf8Length } from '../text/utf8-length.ts';

/** A piece of one choice, as the provider sent it: the content of a chunk without its envelope. */
export interface CompletionDelta {
  readonly choiceIndex: number;
  readonly role: string | null;
  /** Text to append; empty if the piece has none. */
  readonly content: string;
  readonly refusal: string | null;
  readonly toolCalls: readonly ToolCallDelta[];
  readonly audio: AudioDelta | null;
  /** JSON array of citations, as the provider sent it. */
  readonly annotationsJson: string | null;
  /** JSON object, as the provider sent it. */
  readonly logprobsJson: string | null;
  readonly finishReason: string | null;
  /** JSON object of members of the delta and its choice that the contract does not know, such as reasoning_content. */
  readonly extraJson: string | null;
  /** The same for members of the answer itself, such as citations. Only new or changed members. */
  readonly answerExtraJson: string | null;
}

/** A piece without content. */
export function emptyDelta(choiceIndex: number): CompletionDelta {
  return {
    choiceIndex,
    role: null,
    content: '',
    refusal: null,
    toolCalls: [],
    audio: null,
    annotationsJson: null,
    logprobsJson: null,
    finishReason: null,
    extraJson: null,
    answerExtraJson: null,
  };
}

/** Whether the piece has no content for its choice. */
export function saysNothing(delta: CompletionDelta): boolean {
  return (
    delta.content === '' &&
    delta.finishReason === null &&
    delta.role === null &&
    delta.refusal === null &&
    delta.toolCalls.length === 0 &&
    delta.audio === null &&
    delta.annotationsJson === null &&
    delta.logprobsJson === null &&
    delta.extraJson === null
  );
}

/**
 * Bytes of memory that this piece adds to an answer, roughly: texts in UTF-8, audio as bytes, JSON as text. The objects
 * around them are not counted.
 */
export function deltaBytes(delta: CompletionDelta): number {
  let bytes = utf8Length(delta.content);
  if (delta.refusal !== null) bytes += utf8Length(delta.refusal);
  for (const call of delta.toolCalls) bytes += utf8Length(call.arguments) + (call.extraJson?.length ?? 0);
  if (delta.audio !== null)
    bytes += (delta.audio.data?.byteLength ?? 0) + utf8Length(delta.audio.transcript ?? '');
  for (const json of [delta.annotationsJson, delta.logprobsJson, delta.extraJson, delta.answerExtraJson])
    bytes += json?.length ?? 0;
  return bytes;
}
