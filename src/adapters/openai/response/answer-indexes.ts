import { answerLimits, LimitExceeded } from '../wire/answer-limits.ts';
import { indexOf, nameOfIndex } from './entry-index.ts';
import { ToolCallIndexes } from './tool-call-indexes.ts';

/** In place of a choice's index: members of the answer itself. */
export const ANSWER = -1;

/**
 * Gives each choice, and each tool call of a choice, one index from 0 to the limit for the whole answer. A usable index is
 * kept. In place of anything else (0.5, 3e9, text, nothing) the position in the list counts, unless another entry of the
 * same list has that index: then it is a free one.
 */
export class AnswerIndexes {
  readonly #choices = new ChoiceIndexes();
  readonly #calls = new Map<number, ToolCallIndexes>();
  readonly #names = new Map<number, Set<string>>();
  readonly #streamed = new Set<number>();
  readonly #annotations = new Map<number, number>();

  /** @throws LimitExceeded */
  choice(list: readonly unknown[], position: number): number {
    return this.#choices.resolve(list, position);
  }

  toolCalls(choiceIndex: number): ToolCallIndexes {
    let calls = this.#calls.get(choiceIndex);
    if (calls === undefined) {
      calls = new ToolCallIndexes();
      this.#calls.set(choiceIndex, calls);
    }
    return calls;
  }

  /** Undefined for a choice without tool calls. */
  toolCallsOf(choiceIndex: number): ToolCallIndexes | undefined {
    return this.#calls.get(choiceIndex);
  }

  /** The choices that have tool calls. */
  get choicesWithToolCalls(): readonly number[] {
    return [...this.#calls.keys()];
  }

  /** The choice comes in pieces: a whole message of it is a copy. */
  noteStreamed(choiceIndex: number): void {
    this.#streamed.add(choiceIndex);
  }

  hasStreamed(choiceIndex: number): boolean {
    return this.#streamed.has(choiceIndex);
  }

  /** Names of members that are kept under their name: each takes memory of its own. @throws LimitExceeded */
  noteName(choiceIndex: number, name: string): void {
    let known = this.#names.get(choiceIndex);
    if (known === undefined) {
      known = new Set();
      this.#names.set(choiceIndex, known);
    }
    if (known.has(name)) return;
    if (name.length > answerLimits.nameCharacters) throw new LimitExceeded('nameCharacters');
    known.add(name);
    if (known.size > answerLimits.names) throw new LimitExceeded('names');
  }

  /** @throws LimitExceeded */
  noteAnnotations(choiceIndex: number, count: number): void {
    const sum = (this.#annotations.get(choiceIndex) ?? 0) + count;
    if (sum > answerLimits.annotations) throw new LimitExceeded('annotations');
    this.#annotations.set(choiceIndex, sum);
  }
}

class ChoiceIndexes {
  readonly #known = new Set<number>();
  /** Where something went whose own index or position was not to be had. */
  readonly #moved = new Map<string, number>();

  resolve(list: readonly unknown[], position: number): number {
    const own = indexOf(list[position]);
    const index = isUsable(own) ? own | 0 : this.#instead(list, own, position);
    this.#known.add(index);
    return index;
  }

  #instead(list: readonly unknown[], own: unknown, position: number): number {
    const name = `${nameOfIndex(own)}@${position}`;
    const index = this.#moved.get(name) ?? position;
    const isTaken = list.some((entry, other) => other !== position && indexOf(entry) === index);
    return isTaken || !isUsable(index) ? this.#give(name, list) : index;
  }

  /** @param list whose own indexes are not free either */
  #give(name: string, list: readonly unknown[]): number {
    const taken = new Set(list.map(indexOf));
    for (let index = 0; index < answerLimits.choices; index += 1) {
      if (this.#known.has(index) || taken.has(index)) continue;
      this.#moved.set(name, index);
      return index;
    }
    throw new LimitExceeded('choices');
  }
}

function isUsable(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < answerLimits.choices;
}
