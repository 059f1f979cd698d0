/** Pieces that wait to be joined. Until then each may keep the buffer of a whole network read alive. */
const MOST_PIECES = 256;

/** A text gathered from pieces, in time and memory linear in its length, however small the pieces are. */
export class GatheredText {
  #blocks: string[] = [];
  #pieces: string[] = [];

  get isEmpty(): boolean {
    return this.#pieces.length === 0 && this.#blocks.length === 0;
  }

  add(piece: string): void {
    if (piece === '') return;
    if (this.#pieces.push(piece) >= MOST_PIECES) this.#join();
  }

  /** Everything added so far. More may follow. */
  toString(): string {
    if (this.#pieces.length > 0) this.#join();
    if (this.#blocks.length > 1) this.#blocks = [this.#blocks.join('')];
    return this.#blocks[0] ?? '';
  }

  #join(): void {
    this.#blocks.push(this.#pieces.join(''));
    this.#pieces = [];
  }
}
