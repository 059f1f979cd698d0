interface TextCount {
  readonly tokens: number;
  /** False when only samples of the text were counted. */
  readonly exact: boolean;
}

/** Counts of texts that come again and again, such as system messages; what was not asked for the longest goes first. */
export class CountCache {
  readonly #counts = new Map<string, TextCount>();
  readonly #capacity: number;
  #characters = 0;

  /** @param capacity characters of all texts together */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(text: string): TextCount | null {
    const count = this.#counts.get(text);
    if (count === undefined) return null;
    this.#counts.delete(text);
    this.#counts.set(text, count);
    return count;
  }

  /** One longer than a quarter of all is not kept. */
  set(text: string, count: TextCount): void {
    if (text.length > this.#capacity / 4) return;
    if (!this.#counts.delete(text)) this.#characters += text.length;
    this.#counts.set(text, count);
    for (const oldest of this.#counts.keys()) {
      if (this.#characters <= this.#capacity) return;
      this.#counts.delete(oldest);
      this.#characters -= oldest.length;
    }
  }
}
