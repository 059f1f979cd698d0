export interface CacheLimits {
  readonly maxEntries: number;
  /** Of all entries together; by default of their keys. */
  readonly maxCharacters: number;
}

/** Values by key, the most recently used of them: bounded by their count and by their size. */
export class SchemaCache<Value, Key extends string | number = string> {
  readonly #limits: CacheLimits;
  readonly #sizeOf: (key: Key, value: Value) => number;
  /** In the order of their last use, the oldest first. */
  readonly #values = new Map<Key, { readonly value: Value; readonly size: number }>();
  #characters = 0;

  /** @param sizeOf in characters, for as long as the value is kept */
  constructor(limits: CacheLimits, sizeOf: (key: Key, value: Value) => number = (key) => String(key).length) {
    this.#limits = limits;
    this.#sizeOf = sizeOf;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: Key): Value | undefined {
    const entry = this.#values.get(key);
    if (entry === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, entry);
    return entry.value;
  }

  set(key: Key, value: Value): void {
    this.delete(key);
    const size = this.#sizeOf(key, value);
    this.#values.set(key, { value, size });
    this.#characters += size;
    for (const [oldest] of this.#values) {
      if (this.#values.size <= this.#limits.maxEntries && this.#characters <= this.#limits.maxCharacters)
        break;
      this.delete(oldest);
    }
  }

  delete(key: Key): void {
    this.#characters -= this.#values.get(key)?.size ?? 0;
    this.#values.delete(key);
  }

  /** @param make called when there is no value yet; its result is kept */
  getOrMake(key: Key, make: (key: Key) => Value): Value {
    const known = this.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    this.set(key, value);
    return value;
  }
}
