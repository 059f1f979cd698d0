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
 * The right to make one call. Every step but the next one in this picture does nothing.
 *
 *   held ──begin()──► begun ──answered() or failed()──► over
 *    └────release(), by the request or by its gate──────►
 */
export class Permit {
  readonly tokens: number;
  /** Whether its call finds out if an outage is over. */
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

  /** Whether a call may begin: the gate takes back a permit that others wait for and nobody uses. */
  get isHeld(): boolean {
    return this.state === 'held';
  }

  /** The call is not made. */
  release(): void {
    if (this.state !== 'held') return;
    this.state = 'over';
    this.gate.released(this);
  }

  /** The call is made now. */
  begin(): void {
    if (this.state === 'held') this.state = { call: this.gate.begun(this) };
  }

  /** Its answer began. */
  answered(limits: RateLimits | null): void {
    const { state } = this;
    if (typeof state === 'string') return;
    this.state = 'over';
    this.gate.answered(state.call, limits);
  }

  /**
   * It ended without an answer; null when that was nobody's failure.
   *
   * @returns whether it did so because the provider is unavailable, so that it says nothing about the request
   */
  failed(failure: ChatFailure | null): boolean {
    const { state } = this;
    if (typeof state === 'string') return false;
    this.state = 'over';
    return this.gate.failed(this, state.call, failure);
  }
}
