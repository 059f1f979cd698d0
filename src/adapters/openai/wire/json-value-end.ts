const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Finds the end of a JSON object or list that comes in pieces, without keeping them. */
export class JsonValueEnd {
  /** The last bracket has come. */
  hasEnded = false;
  /** The last bracket has come, and nothing but blanks behind it. */
  isLast = false;
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  add(piece: string): void {
    for (let index = 0; index < piece.length; index += 1) this.#take(piece.charCodeAt(index));
  }

  /** @param bytes of UTF-8 */
  addBytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#take(byte);
  }

  #take(unit: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#inString) this.#takeInString(unit);
    else if (this.hasEnded) this.isLast &&= unit <= 0x20;
    else if (unit === QUOTE) this.#inString = true;
    else if (unit === 0x7b || unit === 0x5b) this.#depth += 1;
    else if (unit === 0x7d || unit === 0x5d) this.#close();
  }

  #takeInString(unit: number): void {
    if (unit === BACKSLASH) this.#isEscaped = true;
    else if (unit === QUOTE) this.#inString = false;
  }

  #close(): void {
    this.#depth -= 1;
    this.hasEnded = this.#depth <= 0;
    this.isLast = this.hasEnded;
  }
}
