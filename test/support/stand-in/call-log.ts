/** How a call ended, as far as the stand-in can tell. A fault it caused itself wins over the client's reaction to it. */
export type CallOutcome =
  | 'open'
  | 'completed'
  | 'error'
  | 'client_closed'
  | 'cut'
  | 'stalled'
  | 'ended_early'
  | 'malformed'
  | 'error_event';

/** One POST to /v1/chat/completions. Times are epoch milliseconds. */
export interface Call {
  /** The whole `X-Client-Request-Id` header. */
  clientRequestId: string | null;
  /** The header up to its last slash. */
  requestId: string | null;
  /** The number after the header's last slash. */
  attempt: number | null;
  /** The id of the answer, `chatcmpl-…`. Null for a call without an answer. */
  completionId: string | null;
  model: string | null;
  stream: boolean;
  /** The names of the body's members. */
  parameters: string[];
  startedAt: number;
  endedAt: number | null;
  /** null when no status was sent. */
  status: number | null;
  outcome: CallOutcome;
  promptTokens: number;
  /** Tokens written, of all choices, also of an answer that was cut; from `completionTokens` where scripted and complete. */
  completionTokens: number;
  /** SHA-256, hexadecimal, of the first choice's content when the call completed with some. */
  contentHash: string | null;
}

/** Counts of all calls since the last clear, also of those the cap has dropped. */
export interface CallSummary {
  calls: number;
  byOutcome: Partial<Record<CallOutcome, number>>;
  open: number;
  maxOpen: number;
}

/** Records calls by pushing to an array; nothing is serialized until it is requested. */
export class CallLog {
  readonly #maxCalls: number;
  #calls: Call[] = [];
  #total = 0;
  #open = new Set<Call>();
  #maxOpen = 0;
  #byOutcome = new Map<CallOutcome, number>();

  /** @param maxCalls how many calls to keep at least; between that and twice that are held. Counts go on. */
  constructor(maxCalls = Number.POSITIVE_INFINITY) {
    this.#maxCalls = maxCalls;
  }

  begin(clientRequestId: string | null): Call {
    const slash = clientRequestId?.lastIndexOf('/') ?? -1;
    const attempt = slash < 0 ? Number.NaN : Number(clientRequestId?.slice(slash + 1));
    const call: Call = {
      clientRequestId,
      requestId: slash < 0 ? clientRequestId : (clientRequestId?.slice(0, slash) ?? null),
      attempt: Number.isInteger(attempt) ? attempt : null,
      completionId: null,
      model: null,
      stream: false,
      parameters: [],
      startedAt: performance.timeOrigin + performance.now(),
      endedAt: null,
      status: null,
      outcome: 'open',
      promptTokens: 0,
      completionTokens: 0,
      contentHash: null,
    };
    if (this.#calls.length >= this.#maxCalls * 2) this.#calls = this.#calls.slice(-this.#maxCalls);
    this.#calls.push(call);
    this.#total += 1;
    this.#open.add(call);
    this.#maxOpen = Math.max(this.#maxOpen, this.#open.size);
    return call;
  }

  /** The first end of a call counts; later ones are ignored. */
  end(call: Call, outcome: CallOutcome): void {
    if (call.endedAt !== null) return;
    call.endedAt = performance.timeOrigin + performance.now();
    if (call.outcome === 'open') call.outcome = outcome;
    // A call from before a clear is no longer counted.
    if (this.#open.delete(call))
      this.#byOutcome.set(call.outcome, (this.#byOutcome.get(call.outcome) ?? 0) + 1);
  }

  calls(): readonly Call[] {
    return this.#calls;
  }

  summary(): CallSummary {
    return {
      calls: this.#total,
      byOutcome: Object.fromEntries(this.#byOutcome),
      open: this.#open.size,
      maxOpen: this.#maxOpen,
    };
  }

  clear(): void {
    this.#calls = [];
    this.#total = 0;
    this.#open = new Set();
    this.#maxOpen = 0;
    this.#byOutcome = new Map();
  }
}
