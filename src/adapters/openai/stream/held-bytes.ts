import type { ProviderCall } from '../../../ports/provider.ts';
import type { CallGuard } from './call-guard.ts';

/** What is held is reported again after so many bytes more, not after each read. */
const STEP_BYTES = 65_536;

/** Reports to the caller what is held of an answer that is not given out yet, and waits while it has no memory for more. */
export class HeldBytes {
  readonly #hold: ProviderCall['hold'];
  readonly #guard: CallGuard;
  #reported = 0;

  constructor({ hold }: ProviderCall, guard: CallGuard) {
    this.#hold = hold;
    this.#guard = guard;
  }

  /** @returns a promise to wait for before more is read */
  are(bytes: number): Promise<void> | undefined {
    if (bytes < this.#reported) this.#reported = 0;
    if (bytes < this.#reported + STEP_BYTES) return undefined;
    this.#reported = bytes;
    const short = this.#hold?.(bytes);
    // That is not the provider's silence.
    if (short !== undefined) this.#guard.pause();
    return short;
  }
}
