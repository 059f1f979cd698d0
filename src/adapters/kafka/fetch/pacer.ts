import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long decoding may hold the event loop: streams of answers are served between its steps. */
const LONGEST_STEP_MS = 5;

/** Divides long work into steps. */
export class Pacer {
  private began = performance.now();

  get isDue(): boolean {
    return performance.now() - this.began >= LONGEST_STEP_MS;
  }

  /** Lets everything else on the event loop run. */
  async pause(): Promise<void> {
    await nextTurn();
    this.began = performance.now();
  }
}
