const FIRST_CAPACITY = 1_024;

/** Bytes gathered from pieces. Each piece is copied, so that a view does not keep its larger buffer alive. */
export class GatheredBytes {
  #buffer = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(piece, this.#length);
    this.#length = length;
  }

  /** A view of everything added so far. Later additions do not change it. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(FIRST_CAPACITY, length, 2 * this.#buffer.length));
    larger.set(this.view());
    this.#buffer = larger;
  }
}
