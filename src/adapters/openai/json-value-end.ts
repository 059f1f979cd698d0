const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Finds the end of a JSON object that comes in pieces, without keeping them. */
export class JsonValueEnd {
  /** The object's last bracket has come. */
  hasEnded = false;
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  add(piece: string): void {
    for (let index = 0; index < piece.length && !this.hasEnded; index += 1)
      this.#take(piece.charCodeAt(index));
  }

  #take(unit: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#inString) {
      if (unit === BACKSLASH) this.#isEscaped = true;
      else if (unit === QUOTE) this.#inString = false;
    } else if (unit === QUOTE) this.#inString = true;
    else if (unit === 0x7b || unit === 0x5b) this.#depth += 1;
    else if (unit === 0x7d || unit === 0x5d) {
      this.#depth -= 1;
      this.hasEnded = this.#depth <= 0;
    }
  }
}
