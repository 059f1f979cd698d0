import type { ToolCallDelta } from '../../../contract/record-types.ts';
import { type CompletionDelta, emptyDelta } from '../../../domain/completion/completion-delta.ts';

/** Which text of an answer a piece belongs to. */
type Place =
  | `${number}/content`
  | `${number}/refusal`
  | `${number}/transcript`
  | `${number}/arguments/${number}`;

interface Held {
  /** A high surrogate whose partner is awaited. */
  readonly half: string;
  /** Gives it out when the partner never comes. */
  readonly asDelta: (text: string) => Partial<CompletionDelta>;
}

/** What stands for a character of which only half came. */
const REPLACEMENT = '\uFFFD';

/**
 * Keeps surrogate pairs together. Providers cut text between tokens, and a token may end inside a character, so that one delta
 * ends in `\ud83d` and the next begins with `\ude00`; in a record, which is UTF-8, either half alone would be lost. A half
 * that ends a piece waits for the next piece of the same text; one that never gets its partner becomes U+FFFD. Other text passes
 * untouched and costs one look.
 */
export class WholeCharacters {
  readonly #held = new Map<Place, Held>();

  /** @returns the delta with whole characters only; null when nothing of it is left for now */
  take(delta: CompletionDelta): CompletionDelta | null {
    if (this.#held.size === 0 && isWellFormed(delta)) return delta;
    const index = delta.choiceIndex;
    const whole = {
      ...delta,
      content: this.#join(`${index}/content`, delta.content, (content) => ({ content })),
      refusal: this.#joinOrNull(`${index}/refusal`, delta.refusal, (refusal) => ({ refusal })),
      toolCalls: delta.toolCalls.map((call) => this.#joinArguments(index, call)),
      audio: delta.audio && {
        ...delta.audio,
        transcript: this.#joinOrNull(`${index}/transcript`, delta.audio.transcript, (transcript) => ({
          audio: { id: null, data: null, transcript, expiresAt: null },
        })),
      },
    };
    return isNothing(whole) ? null : whole;
  }

  /** The answer is over: gives out what still waits, as U+FFFD. */
  end(): CompletionDelta[] {
    const rest = [...this.#held].map(([place, { asDelta }]) => ({
      ...emptyDelta(Number.parseInt(place, 10)),
      ...asDelta(REPLACEMENT),
    }));
    this.#held.clear();
    return rest;
  }

  #joinArguments(choiceIndex: number, call: ToolCallDelta): ToolCallDelta {
    const asDelta = (text: string) => ({
      toolCalls: [{ index: call.index, id: null, type: null, name: null, arguments: text, extraJson: null }],
    });
    const place: Place = `${choiceIndex}/arguments/${call.index}`;
    return { ...call, arguments: this.#join(place, call.arguments, asDelta) };
  }

  #joinOrNull(place: Place, piece: string | null, asDelta: Held['asDelta']): string | null {
    return piece === null ? null : this.#join(place, piece, asDelta) || null;
  }

  #join(place: Place, piece: string, asDelta: Held['asDelta']): string {
    if (piece === '') return '';
    const text = (this.#held.get(place)?.half ?? '') + piece;
    this.#held.delete(place);
    const last = text.charCodeAt(text.length - 1);
    if (last < 0xd800 || last > 0xdbff) return text.toWellFormed();
    this.#held.set(place, { half: text.slice(-1), asDelta });
    return text.slice(0, -1).toWellFormed();
  }
}

/** Only texts that are merged piece by piece: JSON texts escape the halves that they hold. */
function isWellFormed({ content, refusal, toolCalls, audio }: CompletionDelta): boolean {
  return (
    content.isWellFormed() &&
    (refusal === null || refusal.isWellFormed()) &&
    (audio?.transcript ?? '').isWellFormed() &&
    toolCalls.every((call) => call.arguments.isWellFormed())
  );
}

/** Whether holding a half back left nothing that a reader could use. */
function isNothing(delta: CompletionDelta): boolean {
  const { content, refusal, toolCalls, audio, ...rest } = delta;
  return (
    content === '' &&
    refusal === null &&
    toolCalls.every(
      (call) => call.arguments === '' && !(call.id ?? call.type ?? call.name ?? call.extraJson),
    ) &&
    (audio === null || Object.values(audio).every((value) => value === null)) &&
    Object.entries(rest).every(([name, value]) => name === 'choiceIndex' || value === null)
  );
}
