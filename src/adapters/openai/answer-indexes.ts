import { answerLimits, LimitExceeded } from './answer-limits.ts';
import { isObject } from './wire.ts';

/** Odd indexes are told apart by so many characters. */
const NAME_CHARACTERS = 32;

/**
 * Gives each choice, and each tool call of a choice, one index from 0 to the limit for the whole answer. A usable index is
 * kept. In place of anything else (0.5, 3e9, text, nothing) the position in the list counts, unless another entry of the
 * same list has that index, or the id says that it is another call: then it is a free one.
 */
export class AnswerIndexes {
  readonly #choices = new IndexTable('choices');
  readonly #calls = new Map<number, IndexTable>();
  readonly #names = new Map<number, Set<string>>();
  readonly #annotations = new Map<number, number>();

  /** @throws LimitExceeded */
  choice(list: readonly unknown[], position: number): number {
    return this.#choices.resolve(list, position, null);
  }

  /**
   * @param id tells calls apart where the provider sends no usable index
   * @throws LimitExceeded
   */
  toolCall(choiceIndex: number, list: readonly unknown[], position: number, id: string | null): number {
    let calls = this.#calls.get(choiceIndex);
    if (calls === undefined) {
      calls = new IndexTable('toolCalls');
      this.#calls.set(choiceIndex, calls);
    }
    return calls.resolve(list, position, id);
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

class IndexTable {
  readonly #limit: 'choices' | 'toolCalls';
  readonly #known = new Set<number>();
  readonly #ids = new Map<number, string>();
  /** Where something went whose own index or position was not to be had. */
  readonly #moved = new Map<number | string, number>();
  /** Indexes that were given in this way. */
  readonly #given = new Set<number>();

  constructor(limit: 'choices' | 'toolCalls') {
    this.#limit = limit;
  }

  resolve(list: readonly unknown[], position: number, id: string | null): number {
    const own = indexOf(list[position]);
    const index = this.#isUsable(own) ? this.#usable(own | 0, id) : this.#instead(list, own, position, id);
    this.#known.add(index);
    if (id !== null && !this.#ids.has(index)) this.#ids.set(index, id);
    return index;
  }

  #usable(own: number, id: string | null): number {
    const moved = this.#moved.get(own);
    if (moved !== undefined) return moved;
    return this.#given.has(own) && this.#isOther(own, id) ? this.#give(own) : own;
  }

  #instead(list: readonly unknown[], own: unknown, position: number, id: string | null): number {
    const name = `${nameOf(own)}@${position}`;
    const index = this.#moved.get(name) ?? position;
    const isTaken = list.some((entry, other) => other !== position && indexOf(entry) === index);
    return isTaken || !this.#isUsable(index) || this.#isOther(index, id) ? this.#give(name, list) : index;
  }

  /** Some servers send each call whole, in a piece of its own and without an index: another id is another call. */
  #isOther(index: number, id: string | null): boolean {
    const known = this.#ids.get(index);
    return id !== null && known !== undefined && known !== id;
  }

  #isUsable(value: unknown): value is number {
    return (
      typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < answerLimits[this.#limit]
    );
  }

  /** @param list whose own indexes are not free either */
  #give(name: number | string, list: readonly unknown[] = []): number {
    const taken = new Set(list.map(indexOf));
    for (let index = 0; index < answerLimits[this.#limit]; index += 1) {
      if (this.#known.has(index) || taken.has(index)) continue;
      this.#moved.set(name, index);
      this.#given.add(index);
      return index;
    }
    throw new LimitExceeded(this.#limit);
  }
}

function indexOf(entry: unknown): unknown {
  return isObject(entry) ? entry['index'] : undefined;
}

/** Lists and objects are all one name: turning them into text may throw. */
function nameOf(value: unknown): string {
  return typeof value === 'object' ? 'object' : String(value).slice(0, NAME_CHARACTERS);
}
