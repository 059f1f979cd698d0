import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import type { CallMark } from '../../domain/limits/rate-limiter.ts';
import type { RateLimits } from '../../domain/limits/rate-limits.ts';

/** The gate that granted a permit. */
export interface PermitGate {
  begun(permit: Permit): CallMark;
  released(permit: Permit): void;
  answered(call: CallMark, limits: RateLimits | null): void;
  /** @returns whether the provider is unavailable, so that the failure says nothing about the request */
  failed(permit: Permit, call: CallMark, failure: ChatFailure | null): boolean;
}

/**
 * The right to make one call. In each state only the drawn steps have an effect.
 *
 *   held ──begin()──► begun ──answered() or failed()──► over
 *    └────release(), by the request or by its gate──────►
 */
export class Permit {
  readonly tokens: number;
  /** Whether its call tests if an outage is over. */
  readonly isProbe: boolean;
  /** Monotonic milliseconds. */
  readonly grantedAt: number;
  private readonly gate: PermitGate;
  private state: 'held' | 'over' | { readonly call: CallMark } = 'held';

  constructor(gate: PermitGate, tokens: number, isProbe: boolean, grantedAt: number) {
    this.gate = gate;
    this.tokens = tokens;
    this.isProbe = isProbe;
    this.grantedAt = grantedAt;
  }

  /** Whether a call may start. The gate revokes a permit that nobody uses while others wait. */
  get isHeld(): boolean {
    return this.state === 'held';
  }

  /** The call is not made. */
  release(): void {
    if (this.state !== 'held') return;
    this.state = 'over';
    this.gate.released(this);
  }

  /** The call starts now. */
  begin(): void {
    if (this.state === 'held') this.state = { call: this.gate.begun(this) };
  }

  /** Its answer has started. */
  answered(limits: RateLimits | null): void {
    const { state } = this;
    if (typeof state === 'string') return;
    this.state = 'over';
    this.gate.answered(state.call, limits);
  }

  /**
   * The call ended without an answer; null if no failure was the cause.
   *
   * @returns whether it failed because the provider is unavailable, so that the failure says nothing about the request
   */
  failed(failure: ChatFailure | null): boolean {
    const { state } = this;
    if (typeof state === 'string') return false;
    this.state = 'over';
    return this.gate.failed(this, state.call, failure);
  }
}
