import type { ChatChunk, ChatResponse } from '../../contract/record-types.ts';
import type { ChatBusError } from '../result/chat-bus-error.ts';

/** An answer that something may come for. */
export interface PendingAnswer {
  takeChunk(chunk: ChatChunk): void;
  takeResponse(response: ChatResponse): void;
  fail(error: ChatBusError): void;
}

/** The answers that are waited for, by the ids and by the keys of their requests. */
export class PendingAnswers {
  private readonly byId = new Map<string, Set<PendingAnswer>>();
  /** How many of each key. */
  private readonly keys = new Map<string, number>();
  private count = 0;

  /** Answers, of which several may be to one request id. */
  get size(): number {
    return this.count;
  }

  add(requestId: string, key: string, answer: PendingAnswer): void {
    this.byId.set(requestId, (this.byId.get(requestId) ?? new Set()).add(answer));
    this.keys.set(key, (this.keys.get(key) ?? 0) + 1);
    this.count += 1;
  }

  remove(requestId: string, key: string, answer: PendingAnswer): void {
    const same = this.byId.get(requestId);
    if (same?.delete(answer) !== true) return;
    this.count -= 1;
    if (same.size === 0) this.byId.delete(requestId);
    const left = (this.keys.get(key) ?? 1) - 1;
    if (left === 0) this.keys.delete(key);
    else this.keys.set(key, left);
  }

  hasKey(key: string): boolean {
    return this.keys.has(key);
  }

  /** A copy, since an answer that ends removes itself. */
  of(requestId: string): PendingAnswer[] {
    return [...(this.byId.get(requestId) ?? [])];
  }

  all(): PendingAnswer[] {
    return [...this.byId.values()].flatMap((same) => [...same]);
  }
}
