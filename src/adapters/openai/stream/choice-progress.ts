import type { CompletionDelta } from '../../../domain/completion/completion-delta.ts';

/** Which choices of an answer began, and which have their finish reason. */
export class ChoiceProgress {
  readonly #expected: number;
  readonly #seen = new Set<number>();
  readonly #finished = new Set<number>();

  /** @param expected how many choices the request asked for */
  constructor(expected: number) {
    this.#expected = expected;
  }

  /** Every choice that was asked for has its finish reason. */
  get areFinished(): boolean {
    return this.haveEnded && this.#seen.size >= this.#expected;
  }

  /** Every choice that began has its finish reason. */
  get haveEnded(): boolean {
    return this.#seen.size > 0 && this.#finished.size === this.#seen.size;
  }

  get haveNotBegun(): boolean {
    return this.#seen.size === 0;
  }

  /** No choice has a finish reason. */
  get haveNoEnds(): boolean {
    return this.#finished.size === 0;
  }

  note({ choiceIndex, finishReason }: CompletionDelta): void {
    this.#seen.add(choiceIndex);
    if (finishReason !== null) this.#finished.add(choiceIndex);
  }

  /** The answer came as a whole, or to its declared end: a finish reason that is missing says nothing. */
  endAll(): void {
    for (const index of this.#seen) this.#finished.add(index);
  }
}
