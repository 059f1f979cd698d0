import type { Audio, Choice, ToolCallDelta, UrlCitation } from '../../contract/record-types.ts';
import { GatheredBytes } from '../text/gathered-bytes.ts';
import { GatheredText } from '../text/gathered-text.ts';
import { utf8Length } from '../text/utf8-length.ts';
import { type CompletionDelta, saysNothing } from './completion-delta.ts';
import { JsonFold } from './json-fold.ts';
import { readAnnotations } from './read-citations.ts';

/** What a choice and a tool call take in memory besides their texts, roughly. */
const CHOICE_BYTES = 2_048;
const TOOL_CALL_BYTES = 512;

/** A choice so far. Its tool calls and structured output are not checked yet. */
export type FoldedChoice = Choice;

/**
 * Puts the deltas of one answer together, in time and memory linear in their text. It has no limit of its own: the provider's
 * adapter limits an answer.
 */
export class CompletionFold {
  readonly #choices = new Map<number, ChoiceFold>();
  readonly #size = { text: 0, other: 0 };
  #extra: JsonFold | null = null;

  /** UTF-8 bytes of everything that the model has written so far: text, refusals, arguments, transcripts, extra texts. */
  get textBytes(): number {
    return this.#size.text;
  }

  /** Memory of everything so far, roughly: text, audio, JSON texts, and the overhead of choices and tool calls. */
  get bytes(): number {
    return this.#size.text + this.#size.other;
  }

  /** Adds the next delta. Deltas of one choice arrive in order. */
  add(delta: CompletionDelta): void {
    if (delta.answerExtraJson !== null) {
      this.#extra ??= new JsonFold('last');
      this.#extra.add(delta.answerExtraJson);
      this.#size.other += delta.answerExtraJson.length;
      if (saysNothing(delta)) return;
    }
    let choice = this.#choices.get(delta.choiceIndex);
    if (choice === undefined) {
      choice = new ChoiceFold(delta.choiceIndex, this.#size);
      this.#choices.set(delta.choiceIndex, choice);
    }
    choice.add(delta);
  }

  /** Members of the answer without a field of the contract, as a JSON object; null if it has no such members. */
  get extraJson(): string | null {
    return this.#extra?.toJson() ?? null;
  }

  /** The choices so far, by index. May be called at any time and more than once. */
  result(): FoldedChoice[] {
    return [...this.#choices.values()].sort((a, b) => a.index - b.index).map((choice) => choice.result());
  }
}

/** Bytes of an answer: of its text, and of everything in memory. */
interface Size {
  text: number;
  other: number;
}

interface ToolCallFold {
  id: string | null;
  readonly type: string;
  name: string;
  readonly arguments: GatheredText;
  extra: JsonFold | null;
}

class ChoiceFold {
  readonly index: number;
  readonly #size: Size;
  readonly #content = new GatheredText();
  #refusal: GatheredText | null = null;
  #finishReason: string | null = null;
  #audio: AudioFold | null = null;
  readonly #toolCalls = new Map<number, ToolCallFold>();
  readonly #annotations: UrlCitation[] = [];
  #logprobs: JsonFold | null = null;
  #extra: JsonFold | null = null;

  constructor(index: number, size: Size) {
    this.index = index;
    this.#size = size;
    size.other += CHOICE_BYTES;
  }

  add(delta: CompletionDelta): void {
    const size = this.#size;
    size.text += utf8Length(delta.content);
    this.#content.add(delta.content);
    if (delta.refusal !== null) {
      this.#refusal ??= new GatheredText();
      this.#refusal.add(delta.refusal);
      size.text += utf8Length(delta.refusal);
    }
    for (const call of delta.toolCalls) this.#addToolCall(call);
    if (delta.audio !== null) {
      this.#audio ??= new AudioFold();
      size.text += this.#audio.add(delta.audio);
      size.other += delta.audio.data?.byteLength ?? 0;
    }
    if (delta.annotationsJson !== null) {
      const { citations, others } = readAnnotations(delta.annotationsJson);
      for (const citation of citations) this.#annotations.push(citation);
      if (others.length > 0) this.#addExtra(JSON.stringify({ annotations: others }));
      size.other += delta.annotationsJson.length;
    }
    if (delta.logprobsJson !== null) {
      this.#logprobs ??= new JsonFold('joined');
      this.#logprobs.add(delta.logprobsJson);
      size.other += delta.logprobsJson.length;
    }
    if (delta.extraJson !== null) this.#addExtra(delta.extraJson);
    this.#finishReason = delta.finishReason ?? this.#finishReason;
  }

  result(): FoldedChoice {
    const calls = [...this.#toolCalls].sort(([a], [b]) => a - b);
    const content = this.#content.toString();
    return {
      index: this.index,
      content: content === '' ? null : content,
      refusal: this.#refusal?.toString() ?? null,
      toolCalls: calls.map(([, { extra, ...call }]) => ({
        ...call,
        arguments: call.arguments.toString(),
        valid: null,
        problems: [],
        extraJson: extra?.toJson() ?? null,
      })),
      audio: this.#audio?.result() ?? null,
      annotations: [...this.#annotations],
      finishReason: this.#finishReason,
      logprobsJson: this.#logprobs?.toJson() ?? null,
      problems: [],
      extraJson: this.#extra?.toJson() ?? null,
    };
  }

  /** The first piece with an id or type sets it. A name may come in pieces, or repeated. */
  #addToolCall(delta: ToolCallDelta): void {
    let call = this.#toolCalls.get(delta.index);
    if (call === undefined) {
      call = {
        id: null,
        type: delta.type ?? 'function',
        name: '',
        arguments: new GatheredText(),
        extra: null,
      };
      this.#toolCalls.set(delta.index, call);
      this.#size.other += TOOL_CALL_BYTES;
    }
    call.id ??= delta.id;
    if (delta.name !== null && delta.name !== call.name) call.name += delta.name;
    call.arguments.add(delta.arguments);
    this.#size.text += utf8Length(delta.arguments);
    if (delta.extraJson !== null) {
      call.extra ??= new JsonFold('words');
      call.extra.add(delta.extraJson);
      this.#size.other += delta.extraJson.length;
    }
  }

  #addExtra(json: string): void {
    this.#extra ??= new JsonFold('words');
    this.#size.text += this.#extra.add(json);
    this.#size.other += json.length;
  }
}

class AudioFold {
  #id = '';
  #data: GatheredBytes | null = null;
  readonly #transcript = new GatheredText();
  #expiresAt: number | null = null;

  /** @returns the bytes of text that the delta added */
  add({ id, data, transcript, expiresAt }: NonNullable<CompletionDelta['audio']>): number {
    if (this.#id === '') this.#id = id ?? '';
    if (data !== null) {
      this.#data ??= new GatheredBytes();
      this.#data.add(data);
    }
    this.#transcript.add(transcript ?? '');
    this.#expiresAt = expiresAt ?? this.#expiresAt;
    return utf8Length(transcript ?? '');
  }

  result(): Audio {
    return {
      id: this.#id,
      data: this.#data?.view() ?? null,
      transcript: this.#transcript.toString(),
      expiresAt: this.#expiresAt,
    };
  }
}
