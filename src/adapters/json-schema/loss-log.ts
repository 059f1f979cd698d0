import type { Logger } from '../../logger.ts';
import type { SchemaAsker } from '../../ports.ts';

/** How long further losses are only counted after one was logged. */
const QUIET_MS = 60_000;

/** Logs that a process was lost: the first time in full, further ones within a minute as their number. */
export class LossLog {
  readonly #logger: Logger;
  #more = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param asker whose check it was doing, or the first of several; null when it was doing none */
  note(reason: string, asker: SchemaAsker | null): void {
    if (this.#timer !== null) {
      this.#more += 1;
      return;
    }
    const { requestId = null, tenantId = null } = asker ?? {};
    this.#logger.warn(
      { requestId, tenantId, reason },
      'the process that checks JSON Schemas has ended and was replaced; a check that ends it again is not_checked',
    );
    this.#timer = setTimeout(() => this.#report(), QUIET_MS).unref();
  }

  /** Logs what was only counted so far. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#report();
  }

  #report(): void {
    this.#timer = null;
    if (this.#more > 0) {
      this.#logger.warn(
        { processes: this.#more },
        'further processes that check JSON Schemas have ended and were replaced',
      );
    }
    this.#more = 0;
  }
}
