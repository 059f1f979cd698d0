import type { Audio, Choice, ToolCall, ToolCallDelta, UrlCitation } from '../contract/records.ts';
import type { CompletionDelta } from './completion-delta.ts';

/** A choice as far as it came: tool calls and structured output are not checked yet. */
export type FoldedChoice = Choice;

/** Puts the deltas of one answer together, in time linear in their text. */
export class CompletionFold {
  readonly #choices = new Map<number, ChoiceFold>();
  #textBytes = 0;

  /** Bytes of UTF-8 of everything the model has written so far: text, refusals, arguments, transcripts, extra texts. */
  get textBytes(): number {
    return this.#textBytes;
  }

  /** Takes the next delta; deltas of one choice come in order. */
  add(delta: CompletionDelta): void {
    let choice = this.#choices.get(delta.choiceIndex);
    if (choice === undefined) {
      choice = new ChoiceFold(delta.choiceIndex);
      this.#choices.set(delta.choiceIndex, choice);
    }
    this.#textBytes += choice.add(delta);
  }

  /** The choices so far, by index. May be asked for at any time, also again. */
  result(): FoldedChoice[] {
    return [...this.#choices.values()].sort((a, b) => a.index - b.index).map((choice) => choice.result());
  }
}

type JsonObject = Record<string, unknown>;

interface AudioFold {
  id: string;
  data: Uint8Array[];
  transcript: string;
  expiresAt: number | null;
}

/** Strings are only appended to: V8 keeps them as ropes, so that appending costs the same however long they are. */
class ChoiceFold {
  readonly index: number;
  #content = '';
  #refusal: string | null = null;
  #finishReason: string | null = null;
  #audio: AudioFold | null = null;
  readonly #toolCalls = new Map<number, ToolCall>();
  readonly #annotations: UrlCitation[] = [];
  #logprobs: JsonObject | null = null;
  #extra: JsonObject | null = null;

  constructor(index: number) {
    this.index = index;
  }

  /** @returns the bytes of text that the delta brought */
  add(delta: CompletionDelta): number {
    let bytes = utf8Length(delta.content);
    this.#content += delta.content;
    if (delta.refusal !== null) {
      this.#refusal = (this.#refusal ?? '') + delta.refusal;
      bytes += utf8Length(delta.refusal);
    }
    for (const call of delta.toolCalls) bytes += this.#addToolCall(call);
    if (delta.audio !== null) bytes += this.#addAudio(delta.audio);
    if (delta.annotationsJson !== null) this.#addAnnotations(delta.annotationsJson);
    if (delta.logprobsJson !== null) {
      this.#logprobs ??= emptyObject();
      appendMembers(this.#logprobs, JSON.parse(delta.logprobsJson));
    }
    if (delta.extraJson !== null) {
      this.#extra ??= emptyObject();
      bytes += appendMembers(this.#extra, JSON.parse(delta.extraJson));
    }
    this.#finishReason = delta.finishReason ?? this.#finishReason;
    return bytes;
  }

  result(): FoldedChoice {
    const calls = [...this.#toolCalls].sort(([a], [b]) => a - b);
    return {
      index: this.index,
      content: this.#content === '' ? null : this.#content,
      refusal: this.#refusal,
      toolCalls: calls.map(([, call]) => ({ ...call, problems: [] })),
      audio: this.#audio && foldedAudio(this.#audio),
      annotations: [...this.#annotations],
      finishReason: this.#finishReason,
      logprobsJson: this.#logprobs && JSON.stringify(this.#logprobs),
      problems: [],
      extraJson: this.#extra && JSON.stringify(this.#extra),
    };
  }

  /** The first piece that has an id, type or name gives it: some servers repeat them in every piece. */
  #addToolCall(delta: ToolCallDelta): number {
    let call = this.#toolCalls.get(delta.index);
    if (call === undefined) {
      call = { id: null, type: delta.type ?? 'function', name: '', arguments: '', valid: null, problems: [] };
      this.#toolCalls.set(delta.index, call);
    }
    call.id ??= delta.id;
    if (call.name === '') call.name = delta.name ?? '';
    call.arguments += delta.arguments;
    return utf8Length(delta.arguments);
  }

  #addAudio(delta: NonNullable<CompletionDelta['audio']>): number {
    this.#audio ??= { id: '', data: [], transcript: '', expiresAt: null };
    const audio = this.#audio;
    if (audio.id === '') audio.id = delta.id ?? '';
    if (delta.data !== null) audio.data.push(delta.data);
    audio.transcript += delta.transcript ?? '';
    audio.expiresAt = delta.expiresAt ?? audio.expiresAt;
    return utf8Length(delta.transcript ?? '');
  }

  #addAnnotations(json: string): void {
    for (const annotation of JSON.parse(json) as { url_citation?: JsonObject }[]) {
      const citation = annotation.url_citation;
      if (citation === undefined) continue;
      this.#annotations.push({
        startIndex: Number(citation['start_index'] ?? 0),
        endIndex: Number(citation['end_index'] ?? 0),
        title: String(citation['title'] ?? ''),
        url: String(citation['url'] ?? ''),
      });
    }
  }
}

function foldedAudio(audio: AudioFold): Audio {
  const data = new Uint8Array(audio.data.reduce((length, piece) => length + piece.length, 0));
  let offset = 0;
  for (const piece of audio.data) {
    data.set(piece, offset);
    offset += piece.length;
  }
  return { ...audio, data: audio.data.length === 0 ? null : data };
}

/** Without a prototype, so that any name is an ordinary one. */
function emptyObject(): JsonObject {
  return Object.create(null) as JsonObject;
}

/** Texts and lists go on where they ended, of anything else the last counts. @returns the bytes of text appended */
function appendMembers(target: JsonObject, source: JsonObject): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(source)) {
    const before = Object.hasOwn(target, name) ? target[name] : undefined;
    if (typeof value === 'string') {
      bytes += utf8Length(value);
      target[name] = typeof before === 'string' ? before + value : value;
    } else if (Array.isArray(value) && Array.isArray(before)) before.push(...value);
    else if (value !== null || before === undefined) target[name] = value;
  }
  return bytes;
}

/** Each half of a surrogate pair counts as two, so that pairs cut between deltas are counted right. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
