import type { AudioDelta, ToolCallDelta } from '../contract/records.ts';
import { utf8Length } from './utf8-length.ts';

/** A piece of one choice, as the provider sent it: what a chunk carries without its envelope. */
export interface CompletionDelta {
  readonly choiceIndex: number;
  readonly role: string | null;
  /** Text to append; empty when the piece has none. */
  readonly content: string;
  readonly refusal: string | null;
  readonly toolCalls: readonly ToolCallDelta[];
  readonly audio: AudioDelta | null;
  /** JSON array of citations, as the provider sent it. */
  readonly annotationsJson: string | null;
  /** JSON object, as the provider sent it. */
  readonly logprobsJson: string | null;
  readonly finishReason: string | null;
  /** JSON object of delta fields that the contract does not know (for example reasoning_content). */
  readonly extraJson: string | null;
}

/** A piece that carries nothing yet. */
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
  };
}

/**
 * Bytes of memory that an answer grows by with this piece, roughly: texts in UTF-8, audio as bytes, JSON as text. What the
 * objects around them take is not counted.
 */
export function deltaBytes(delta: CompletionDelta): number {
  let bytes = utf8Length(delta.content);
  if (delta.refusal !== null) bytes += utf8Length(delta.refusal);
  for (const call of delta.toolCalls) bytes += utf8Length(call.arguments);
  if (delta.audio !== null)
    bytes += (delta.audio.data?.byteLength ?? 0) + utf8Length(delta.audio.transcript ?? '');
  for (const json of [delta.annotationsJson, delta.logprobsJson, delta.extraJson]) bytes += json?.length ?? 0;
  return bytes;
}
