interface TextCount {
  readonly tokens: number;
  /** False when only samples of the text were counted. */
  readonly exact: boolean;
}

const ENTRY_BYTES = 128;

/** Counts of texts that come again and again, such as system messages; what was not asked for the longest goes first. */
export class CountCache {
  readonly #counts = new Map<string, TextCount>();
  readonly #capacity: number;
  #bytes = 0;

  /** @param capacity bytes of all texts together with what keeps them */
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
    const bytes = bytesOf(text);
    if (bytes > this.#capacity / 4) return;
    if (!this.#counts.delete(text)) this.#bytes += bytes;
    this.#counts.set(text, count);
    for (const oldest of this.#counts.keys()) {
      if (this.#bytes <= this.#capacity) return;
      this.#counts.delete(oldest);
      this.#bytes -= bytesOf(oldest);
    }
  }
}

/** Two for a character, as of a text that is not Latin. */
function bytesOf(text: string): number {
  return ENTRY_BYTES + 2 * text.length;
}
