import type { CompletionDelta } from '../../../domain/completion/completion-delta.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { AnswerIndexes } from '../response/answer-indexes.ts';
import { mapChunk } from '../response/map-chunk.ts';

const CONTENT = '"content":"';
/** What a JSON string cannot have as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
const NOT_PLAIN = /["\\\u0000-\u001f]/;
/** Not a piece of any answer. */
const PROBE = 'completion-bus probe';
/** Streams whose chunks differ in more than their text, as by a random field, are not tried for ever. */
const MOST_LESSONS = 2;
/** A longer chunk is no piece of text; what stands around its text is not worth keeping. */
const MOST_CHARACTERS = 4_096;
/** From this length on V8 keeps a part of a text as a view, and the whole read that it came in with it. */
const VIEWED_FROM = 13;

/**
 * Nearly all chunks of a stream differ in nothing but their text. Once one has been parsed, the next is recognised by what
 * stands before and after its text, which takes a fifth of parsing it. Whatever differs elsewhere, or has anything to
 * unescape in its text, is parsed as before.
 */
export class TextChunkTemplate {
  private before = '';
  private after = '';
  private delta: CompletionDelta | null = null;
  private lessons = 0;

  /** The delta of a chunk that differs from the one learned in nothing but its text; null for any other. */
  read(payload: string): CompletionDelta | null {
    const { delta, before, after } = this;
    if (delta === null || payload.length <= before.length + after.length) return null;
    const end = payload.length - after.length;
    // V8 compares two strings at once, but `startsWith` and `endsWith` character by character, which takes ten times as long.
    if (payload.slice(0, before.length) !== before || payload.slice(end) !== after) return null;
    const content = payload.slice(before.length, end);
    return NOT_PLAIN.test(content) ? null : { ...delta, content: detached(content) };
  }

  /**
   * Learns from a chunk that was parsed, if it is one of plain text.
   *
   * @param deltas what the chunk brought
   * @param indexes of the same answer
   */
  learn(payload: string, deltas: readonly CompletionDelta[], indexes = new AnswerIndexes()): void {
    const [delta, ...others] = deltas;
    if (this.lessons === MOST_LESSONS || payload.length > MOST_CHARACTERS) return;
    if (delta === undefined || others.length > 0 || !isPlainText(delta)) return;
    const at = payload.indexOf(CONTENT) + CONTENT.length;
    if (at < CONTENT.length || !payload.startsWith(`${delta.content}"`, at)) return;
    this.lessons += 1;
    const before = payload.slice(0, at);
    const after = payload.slice(at + delta.content.length);
    if (!isTextOf(`${before}${PROBE}${after}`, delta, indexes)) return;
    this.before = detached(before);
    this.after = detached(after);
    this.delta = delta;
  }
}

function isPlainText(delta: CompletionDelta): boolean {
  return (
    delta.content !== '' &&
    delta.role === null &&
    delta.refusal === null &&
    delta.toolCalls.length === 0 &&
    delta.audio === null &&
    delta.annotationsJson === null &&
    delta.logprobsJson === null &&
    delta.finishReason === null &&
    delta.extraJson === null
  );
}

/** Whether a chunk is one of usage-less text that stands at the place of the probe and nowhere else. */
function isTextOf(payload: string, delta: CompletionDelta, indexes: AnswerIndexes): boolean {
  const chunk: unknown = JSON.parse(payload);
  if (!isObject(chunk) || (chunk['usage'] ?? null) !== null) return false;
  const deltas: CompletionDelta[] = [];
  mapChunk(chunk, deltas, indexes);
  return deltas.length === 1 && deltas[0]?.content === PROBE && deltas[0].choiceIndex === delta.choiceIndex;
}

/** A copy that shares no memory with the text it was cut from. */
function detached(text: string): string {
  return text.length < VIEWED_FROM ? text : (JSON.parse(JSON.stringify(text)) as string);
}
