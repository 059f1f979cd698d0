import type { AudioDelta, ToolCallDelta } from '../../contract/record-types.ts';
import { type ChunkDraft, TOOL_CALL_BYTES, utf8Bytes } from './chunk-draft.ts';
import { Pieces } from './pieces.ts';
import { addExtra } from './split-extra.ts';
import { addAnnotations, addLogprobs } from './split-json.ts';

/**
 * Splits a draft into several, with the values in the same order and each within a number of bytes (`draftBytes`). Consumers that
 * append them (`CompletionFold`) get the same result as from the whole draft.
 *
 * @throws DoesNotFit if a value that cannot be split is larger
 */
export function splitDraft(draft: ChunkDraft, maxBytes: number): ChunkDraft[] {
  const pieces = new Pieces(draft.choiceIndex, maxBytes);
  if (draft.role !== null) {
    pieces.take('role', utf8Bytes(draft.role));
    pieces.current.role = draft.role;
  }
  pieces.text('content', draft.content, (piece, text) => {
    piece.content += text;
  });
  if (draft.refusal !== null) {
    pieces.current.refusal = '';
    pieces.text('refusal', draft.refusal, (piece, text) => {
      piece.refusal = (piece.refusal ?? '') + text;
    });
  }
  for (const call of draft.toolCalls) addToolCall(pieces, call);
  if (draft.audio !== null) addAudio(pieces, draft.audio);
  if (draft.annotationsJson !== null) addAnnotations(pieces, draft.annotationsJson);
  if (draft.logprobsJson !== null) addLogprobs(pieces, draft.logprobsJson);
  if (draft.extraJson !== null) addExtra(pieces, draft.extraJson);
  if (draft.finishReason !== null) {
    pieces.take('finishReason', utf8Bytes(draft.finishReason));
    pieces.current.finishReason = draft.finishReason;
  }
  pieces.current.last = draft.last;
  return pieces.all;
}

/** Only the arguments are split. Everything else goes with the first piece, as providers send it. */
function addToolCall(pieces: Pieces, call: ToolCallDelta): void {
  const { index, id, type, name, arguments: text, extraJson } = call;
  const ownBytes = utf8Bytes(id) + utf8Bytes(type) + utf8Bytes(name) + utf8Bytes(extraJson);
  pieces.take('toolCalls', TOOL_CALL_BYTES + ownBytes);
  pieces.current.toolCalls.push({ ...call, arguments: '' });
  const add = (piece: ChunkDraft, slice: string) => {
    const last = piece.toolCalls.at(-1);
    if (last === undefined)
      piece.toolCalls.push({ index, id: null, type: null, name: null, arguments: slice, extraJson: null });
    else last.arguments += slice;
  };
  pieces.text('toolCalls.arguments', text, add, TOOL_CALL_BYTES);
}

function addAudio(pieces: Pieces, { id, data, transcript, expiresAt }: AudioDelta): void {
  pieces.take('audio.id', utf8Bytes(id));
  pieces.current.audio = { id, data: null, transcript: null, expiresAt };
  const audioOf = (piece: ChunkDraft): AudioDelta => {
    piece.audio ??= { id: null, data: null, transcript: null, expiresAt: null };
    return piece.audio;
  };
  if (data !== null)
    pieces.bytes('audio.data', data, (piece, slice) => {
      audioOf(piece).data = slice;
    });
  if (transcript !== null) {
    const audio = audioOf(pieces.current);
    audio.transcript ??= '';
    pieces.text('audio.transcript', transcript, (piece, slice) => {
      const target = audioOf(piece);
      target.transcript = (target.transcript ?? '') + slice;
    });
  }
}
