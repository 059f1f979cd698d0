import { answerLimits, LimitExceeded } from './answer-limits.ts';

/** What a choice or a call is known by: its own index, or text made of whatever stands in its place. */
type Key = number | string;

/** Odd indexes are compared by so many characters. */
const KEY_CHARACTERS = 32;

/**
 * Gives each choice, and each tool call of a choice, one index from 0 to the limit for the whole answer. A usable index is
 * kept. Whatever else stands there (0.5, 3e9, text) is a name for an index of its own, by preference the position in the
 * list, so that two choices or calls are never merged.
 */
export class AnswerIndexes {
  readonly #choices = new IndexTable('choices');
  readonly #calls = new Map<number, IndexTable>();
  readonly #names = new Map<number, Set<string>>();
  readonly #annotations = new Map<number, number>();

  /** @throws LimitExceeded */
  choice(index: unknown, position: number): number {
    return this.#choices.resolve(index, position, null);
  }

  /**
   * @param id tells calls apart where the provider sends no usable index
   * @throws LimitExceeded
   */
  toolCall(choiceIndex: number, index: unknown, position: number, id: string | null): number {
    let calls = this.#calls.get(choiceIndex);
    if (calls === undefined) {
      calls = new IndexTable('toolCalls');
      this.#calls.set(choiceIndex, calls);
    }
    return calls.resolve(index, position, id);
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
  /** Who has an index. */
  readonly #owners = new Map<number, Key>();
  /** Where what has no usable index, or found its own one taken, went. */
  readonly #moved = new Map<Key, number>();
  readonly #ids = new Map<number, string>();

  constructor(limit: 'choices' | 'toolCalls') {
    this.#limit = limit;
  }

  resolve(value: unknown, position: number, id: string | null): number {
    if (isIndex(value, answerLimits[this.#limit]))
      return this.#remember(this.#slotOf(value | 0, value | 0), id);
    // Servers that leave out zeros leave out the index 0, so that no index is the position's own.
    const isAbsent = value === undefined || value === null;
    const key: Key = isAbsent ? position : `${nameOf(value)}@${position}`;
    const named: Key = isAbsent ? `@${position}` : key;
    const index = this.#moved.get(named) ?? this.#slotOf(key, position);
    const known = this.#ids.get(index);
    if (id === null || known === undefined || known === id) return this.#remember(index, id);
    // Another id is another call: some servers send each call whole, in a piece of its own.
    const next = this.#free();
    this.#owners.set(next, named);
    this.#moved.set(named, next);
    return this.#remember(next, id);
  }

  #slotOf(key: Key, preferred: number): number {
    const moved = this.#moved.get(key);
    if (moved !== undefined) return moved;
    const owner = this.#owners.get(preferred);
    if (owner === key) return preferred;
    const index = owner === undefined && preferred < answerLimits[this.#limit] ? preferred : this.#free();
    this.#owners.set(index, key);
    if (index !== key) this.#moved.set(key, index);
    return index;
  }

  #free(): number {
    for (let index = 0; index < answerLimits[this.#limit]; index += 1) {
      if (!this.#owners.has(index)) return index;
    }
    throw new LimitExceeded(this.#limit);
  }

  #remember(index: number, id: string | null): number {
    if (id !== null && !this.#ids.has(index)) this.#ids.set(index, id);
    return index;
  }
}

/** Lists and objects are all one name: turning them into text may throw. */
function nameOf(value: unknown): string {
  return typeof value === 'object' ? 'object' : String(value).slice(0, KEY_CHARACTERS);
}

function isIndex(value: unknown, limit: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < limit;
}
