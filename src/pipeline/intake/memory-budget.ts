/*
 * Shares of MAX_IN_FLIGHT_BYTES: requests leave room for answers, new calls leave room for those that run, and a stream that
 * goes on although memory is short leaves room for outcomes. So the total stays below the limit and something can always finish.
 */
const SHARE = { requests: 0.4, callsBegin: 0.55, answersGrow: 0.7, outcomesBeforeOldest: 0.2 };

/** Memory of a request besides its bytes: spans, timers, its place in queues. */
const REQUEST_OVERHEAD_BYTES = 4_096;
/** The record itself, and its decoded form. */
const DECODED_FACTOR = 3;
/** Counted for a call before its answer arrives: most answers are shorter. */
const CALL_BYTES = 4_096;

/** What an accepted record takes in memory until its call has ended, roughly. */
export function requestWeight(recordBytes: number): number {
  return DECODED_FACTOR * recordBytes + REQUEST_OVERHEAD_BYTES;
}

/**
 * Counts the bytes that accepted requests hold: their records, the decoded requests, the answers as they arrive, and the outcomes
 * that wait to be settled. As it fills up, first intake stops, then no call starts, then streams are not read further. While
 * outcomes are being settled, the oldest stream is read on, so that answers never wait for each other.
 */
export class MemoryBudget {
  readonly maxBytes: number;
  private readonly held = { request: 0, answer: 0, outcome: 0 };
  /** Of `answer`, by tenant. */
  private readonly answersOf = new Map<string, number>();
  private calls = 0;
  /** Streams that are being read, the oldest first. */
  private readonly streams = new Set<RequestMemory>();
  private waiting: Waiter[] = [];

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Total bytes held. */
  get bytes(): number {
    return this.held.request + this.held.answer + this.held.outcome;
  }

  /** The most that requests may hold. The rest is for answers and outcomes. */
  get maxRequestBytes(): number {
    return Math.floor(this.maxBytes * SHARE.requests);
  }

  /** Whether answers and outcomes leave room for further requests. */
  get mayAccept(): boolean {
    return this.bytes < this.maxBytes * SHARE.answersGrow;
  }

  /** Whether partitions that were paused for memory may resume. */
  get mayResume(): boolean {
    return this.bytes < this.maxBytes * SHARE.callsBegin;
  }

  /** Calls and streams that wait for memory. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  /** @param bytes that the request holds (`requestWeight`) */
  open(bytes: number): RequestMemory {
    return new RequestMemory(this, bytes);
  }

  /** For `RequestMemory` only. */
  change(kind: HeldKind, bytes: number, tenant: string | null): void {
    this.held[kind] += bytes;
    if (kind === 'answer' && tenant !== null) {
      const held = (this.answersOf.get(tenant) ?? 0) + bytes;
      if (held === 0) this.answersOf.delete(tenant);
      else this.answersOf.set(tenant, held);
    }
    if (bytes < 0) this.resumeWaiting();
  }

  /** For `RequestMemory` only. @returns whether a call may start; it is then counted */
  tryBegin(): boolean {
    if (this.calls > 0 && this.bytes >= this.maxBytes * SHARE.callsBegin) return false;
    this.calls += 1;
    this.held.answer += CALL_BYTES;
    return true;
  }

  /** For `RequestMemory` only. */
  endCall(memory: RequestMemory): void {
    this.calls -= 1;
    this.held.answer -= CALL_BYTES;
    this.streams.delete(memory);
    this.resumeWaiting();
  }

  /** For `RequestMemory` only. @returns whether its stream may be read further */
  mayGrow(memory: RequestMemory): boolean {
    this.streams.add(memory);
    const { tenant } = memory;
    const free = this.maxBytes * SHARE.answersGrow - this.bytes;
    // A dynamic threshold: a tenant whose answers stall takes at most half, two tenants a third each. Calls of others can still
    // start and end.
    if (free > 0 && (tenant === null || (this.answersOf.get(tenant) ?? 0) <= free)) return true;
    const [oldest] = this.streams;
    return memory === oldest && this.held.outcome < this.maxBytes * SHARE.outcomesBeforeOldest;
  }

  /** For `RequestMemory` only: the stream is not read further, so nobody waits for it. */
  endStream(memory: RequestMemory): void {
    if (this.streams.delete(memory)) this.resumeWaiting();
  }

  /** For `RequestMemory` only: resolves once `isGranted` returns true. It is asked whenever memory was released. */
  until(isGranted: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waiting.push({ isGranted, resume: resolve });
    return promise;
  }

  private resumeWaiting(): void {
    if (this.waiting.length === 0) return;
    // Grants change what is held, so each is asked in its turn.
    this.waiting = this.waiting.filter(({ isGranted, resume }) => {
      const granted = isGranted();
      if (granted) resume();
      return !granted;
    });
  }
}

type HeldKind = 'request' | 'answer' | 'outcome';

interface Waiter {
  readonly isGranted: () => boolean;
  readonly resume: () => void;
}

/**
 * The memory of one request.
 *
 *   waiting ──begin()──► calling ──grow(), grow(), …──► finish() ──► outcome waits ──close()──► released
 */
export class RequestMemory {
  private readonly budget: MemoryBudget;
  private readonly bytes = { request: 0, answer: 0, outcome: 0 };
  private owner: string | null = null;
  private isCalling = false;
  /** The outcome exists: a wait for a call ends, and no further call is counted. */
  private isFinished = false;
  private isClosed = false;

  constructor(budget: MemoryBudget, requestBytes: number) {
    this.budget = budget;
    this.set('request', requestBytes);
  }

  /** The tenant of the request; null until it is known. */
  get tenant(): string | null {
    return this.owner;
  }

  /** Called before a call starts. */
  belongsTo(tenantId: string): void {
    this.owner = tenantId;
  }

  /** The decoded request takes so much more than its record. */
  addDecoded(bytes: number): void {
    this.set('request', this.bytes.request + bytes);
  }

  /** Total bytes that it holds. */
  get total(): number {
    return this.bytes.request + this.bytes.answer + this.bytes.outcome;
  }

  /**
   * Called before a call is made.
   *
   * @returns null if the call may start at once; else a promise that resolves when it may
   */
  begin(): Promise<void> | null {
    const isGranted = () => this.isCalling || this.isFinished || this.tryBegin();
    return isGranted() ? null : this.budget.until(isGranted);
  }

  /**
   * So much of the answer has arrived, including everything before.
   *
   * @returns a promise to wait for before reading on, if memory is short
   */
  grow(answerBytes: number): Promise<void> | undefined {
    this.set('answer', answerBytes);
    if (this.mayGrow()) return undefined;
    return this.budget.until(() => this.mayGrow());
  }

  /** No more of the answer arrives, although further calls may follow. Others do not wait for this stream. */
  endStream(): void {
    this.budget.endStream(this);
  }

  /** The call is over, or is not made. Its answer stays counted until `finish` or `grow` says otherwise. */
  end(): void {
    if (!this.isCalling) return;
    this.isCalling = false;
    this.budget.endCall(this);
  }

  /** The outcome exists: from now on only its records are held. */
  finish(outcomeBytes: number): void {
    this.isFinished = true;
    this.end();
    this.set('request', REQUEST_OVERHEAD_BYTES);
    this.set('answer', 0);
    this.set('outcome', outcomeBytes);
  }

  /** The outcome is visible, or the request now belongs to another worker. */
  close(): void {
    this.isFinished = true;
    this.end();
    for (const kind of ['request', 'answer', 'outcome'] as const) this.set(kind, 0);
    this.isClosed = true;
  }

  private tryBegin(): boolean {
    this.isCalling = this.budget.tryBegin();
    return this.isCalling;
  }

  /** A request that has ended meanwhile must not be kept as a stream that is read. */
  private mayGrow(): boolean {
    return !this.isCalling || this.budget.mayGrow(this);
  }

  private set(kind: HeldKind, bytes: number): void {
    if (this.isClosed) return;
    const change = bytes - this.bytes[kind];
    this.bytes[kind] = bytes;
    if (change !== 0) this.budget.change(kind, change, this.owner);
  }
}
