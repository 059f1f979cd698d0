import type { ChatChunk } from '../../contract/record-types.ts';
import type { CompletionDelta } from '../../domain/completion/completion-delta.ts';

/** A chunk that is not sent yet: deltas of one choice, merged. */
export type ChunkDraft = Omit<ChatChunk, 'requestId' | 'tenantId' | 'attempt' | 'sequence' | 'emittedAt'>;

/** A longer chunk takes no more text. */
const MERGE_MAX_CHARACTERS = 64_000;
/** The most that an element of `toolCalls` takes besides its texts. */
export const TOOL_CALL_BYTES = 32;

export function emptyDraft(choiceIndex: number): ChunkDraft {
  return {
    choiceIndex,
    content: '',
    role: null,
    refusal: null,
    toolCalls: [],
    audio: null,
    annotationsJson: null,
    logprobsJson: null,
    finishReason: null,
    extraJson: null,
    last: false,
  };
}

/** Merges the members of both objects. If both have a name, the choice's member counts. */
function extraOf({ answerExtraJson, extraJson }: CompletionDelta): string | null {
  if (answerExtraJson === null || extraJson === null) return answerExtraJson ?? extraJson;
  return `${answerExtraJson.slice(0, -1)},${extraJson.slice(1)}`;
}

export function draftOf(delta: CompletionDelta): ChunkDraft {
  return {
    choiceIndex: delta.choiceIndex,
    content: delta.content,
    role: delta.role,
    refusal: delta.refusal,
    toolCalls: [...delta.toolCalls],
    audio: delta.audio,
    annotationsJson: delta.annotationsJson,
    logprobsJson: delta.logprobsJson,
    finishReason: delta.finishReason,
    extraJson: extraOf(delta),
    last: false,
  };
}

/** Text may follow text of the same choice. Structured content starts a chunk. */
export function isMergeable(draft: ChunkDraft, delta: CompletionDelta): boolean {
  return (
    draft.choiceIndex === delta.choiceIndex &&
    draft.finishReason === null &&
    draft.content.length < MERGE_MAX_CHARACTERS &&
    draft.toolCalls.length === 0 &&
    draft.refusal === null &&
    draft.audio === null &&
    draft.annotationsJson === null &&
    draft.logprobsJson === null &&
    draft.extraJson === null &&
    delta.role === null &&
    delta.refusal === null &&
    delta.toolCalls.length === 0 &&
    delta.audio === null &&
    delta.annotationsJson === null &&
    delta.logprobsJson === null &&
    delta.extraJson === null &&
    delta.answerExtraJson === null
  );
}

/** UTF-8 bytes of a text; 0 for null. */
export function utf8Bytes(text: string | null | undefined): number {
  return text === null || text === undefined ? 0 : Buffer.byteLength(text);
}

/** A lower bound of what the draft's values take in a record; `STREAM_BYTES` covers the rest. */
export function draftBytes(draft: ChunkDraft): number {
  const { content, role, refusal, toolCalls, audio, annotationsJson, logprobsJson, extraJson, finishReason } =
    draft;
  let bytes = utf8Bytes(content);
  if (role !== null) bytes += utf8Bytes(role);
  if (refusal !== null) bytes += utf8Bytes(refusal);
  if (finishReason !== null) bytes += utf8Bytes(finishReason);
  if (annotationsJson !== null) bytes += utf8Bytes(annotationsJson);
  if (logprobsJson !== null) bytes += utf8Bytes(logprobsJson);
  if (extraJson !== null) bytes += utf8Bytes(extraJson);
  if (audio !== null)
    bytes += utf8Bytes(audio.id) + utf8Bytes(audio.transcript) + (audio.data?.byteLength ?? 0);
  for (const call of toolCalls)
    bytes +=
      TOOL_CALL_BYTES +
      utf8Bytes(call.id) +
      utf8Bytes(call.type) +
      utf8Bytes(call.name) +
      utf8Bytes(call.arguments) +
      utf8Bytes(call.extraJson);
  return bytes;
}
