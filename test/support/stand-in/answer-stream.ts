import { createHash } from 'node:crypto';
import type { Answer } from './answer.ts';
import type { Call, CallLog } from './call-log.ts';
import type { ChunkedWriter } from './chunked-writer.ts';
import type { ChunkFormat } from './completion-format.ts';
import { errorBody } from './error-body.ts';
import type { Script } from './script.ts';
import type { TimerWheel, WheelTask } from './timer-wheel.ts';

/** Milliseconds on the wheel's clock: the first token, and the distance of the others. */
export interface Pace {
  firstTokenAt: number;
  gapMs: number;
}

/**
 * One answer in flight, which sends a token whenever the wheel calls.
 *
 *   waiting ──► role, token 1 ──► token 2 … n ──► finish, usage, [DONE]
 *                 └─────────────────┴─► cut │ stalled │ ended early │ error event   (malformed data goes on)
 *
 * Tokens are due at fixed times, not a gap after the one before: a stand-in that was held up catches up, as a provider
 * does whose tokens waited in the network. A reader that does not read holds up only its own stream.
 */
export class AnswerStream implements WheelTask {
  dueTick = 0;
  readonly #answer: Answer;
  readonly #script: Script;
  readonly #format: ChunkFormat;
  readonly #writer: ChunkedWriter;
  readonly #wheel: TimerWheel;
  readonly #log: CallLog;
  readonly #call: Call;
  readonly #pace: Pace;
  #step = 0;
  #hasBegun = false;
  #isMalformed = false;

  constructor(parts: {
    answer: Answer;
    script: Script;
    format: ChunkFormat;
    writer: ChunkedWriter;
    wheel: TimerWheel;
    log: CallLog;
    call: Call;
    pace: Pace;
  }) {
    this.#answer = parts.answer;
    this.#script = parts.script;
    this.#format = parts.format;
    this.#writer = parts.writer;
    this.#wheel = parts.wheel;
    this.#log = parts.log;
    this.#call = parts.call;
    this.#pace = parts.pace;
  }

  start(): void {
    this.#wheel.schedule(this, this.#pace.firstTokenAt);
  }

  run(nowMs: number): void {
    if (this.#call.endedAt !== null) return;
    if (this.#writer.socket.writableNeedDrain) {
      this.#waitForReader();
      return;
    }
    if (!this.#hasBegun) this.#writer.add(this.#format.role());
    this.#hasBegun = true;
    while (this.#goOn()) {
      const dueMs = this.#pace.firstTokenAt + this.#step * this.#pace.gapMs;
      if (dueMs > nowMs) {
        this.#writer.flush();
        this.#wheel.schedule(this, dueMs);
        return;
      }
      if (this.#writer.isFull) {
        this.#writer.flush();
        if (this.#writer.socket.writableNeedDrain) {
          this.#waitForReader();
          return;
        }
      }
    }
  }

  /** Takes one step. @returns whether another step follows */
  #goOn(): boolean {
    const script = this.#script;
    if (this.#step === script.malformedAfterTokens && !this.#isMalformed) {
      this.#isMalformed = true;
      this.#call.outcome = 'malformed';
      this.#writer.add(this.#format.malformed());
    }
    if (this.#step === script.stallAfterTokens) return this.#stall();
    if (this.#step === script.cutAfterTokens) return this.#stop('cut', () => this.#writer.cut());
    if (this.#step === script.endAfterTokens) return this.#stop('ended_early', () => this.#writer.end());
    if (this.#step === script.errorAfterTokens) {
      this.#writer.add(this.#format.event(errorBody(script.status ?? 500, script.error)));
      return this.#stop('error_event', () => this.#writer.end());
    }
    if (this.#step >= this.#answer.steps) return this.#finish();
    this.#writer.add(this.#format.step(this.#step));
    this.#step += 1;
    this.#call.completionTokens += this.#answer.choices;
    return true;
  }

  #finish(): boolean {
    this.#writer.add(this.#format.finish());
    this.#call.contentHash = contentHash(this.#script.stamp ? null : this.#answer.contentOf(0));
    this.#call.completionTokens = this.#script.completionTokens ?? this.#call.completionTokens;
    return this.#stop('completed', () => this.#writer.end());
  }

  #stall(): boolean {
    this.#call.outcome = 'stalled'; // it stays open until the client gives up
    this.#writer.flush();
    return false;
  }

  #stop(outcome: 'completed' | 'cut' | 'ended_early' | 'error_event', close: () => void): boolean {
    this.#log.end(this.#call, outcome);
    close();
    return false;
  }

  #waitForReader(): void {
    this.#writer.socket.once('drain', () => this.#wheel.schedule(this, 0));
  }
}

/** SHA-256 of an answer's text, hexadecimal; null of none. */
export function contentHash(content: string | null): string | null {
  return content === null ? null : createHash('sha256').update(content).digest('hex');
}
