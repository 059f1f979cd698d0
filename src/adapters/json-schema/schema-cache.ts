export interface CacheLimits {
  readonly maxEntries: number;
  /** Of all keys together. */
  readonly maxCharacters: number;
}

/** Values by text, the most recently used of them: bounded by their count and by the size of their texts. */
export class SchemaCache<Value> {
  readonly #limits: CacheLimits;
  /** In the order of their last use, the oldest first. */
  readonly #values = new Map<string, Value>();
  #characters = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#values.size;
  }

  /** @param make called when there is none; what it makes is kept */
  getOrMake(text: string, make: (text: string) => Value): Value {
    let value = this.#values.get(text);
    if (value === undefined) {
      value = make(text);
      this.#characters += text.length;
    } else this.#values.delete(text);
    this.#values.set(text, value);
    for (const [oldest] of this.#values) {
      if (this.#values.size <= this.#limits.maxEntries && this.#characters <= this.#limits.maxCharacters)
        break;
      this.#values.delete(oldest);
      this.#characters -= oldest.length;
    }
    return value;
  }
}
