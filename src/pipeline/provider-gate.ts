import type { Clock } from '../ports.ts';
import { KeyGate, type KeyGateOptions, type Permit } from './key-gate.ts';

/** What limits and outages belong to. */
export interface GateKey {
  readonly provider: string;
  readonly account: string | null;
  readonly model: string;
}

export interface ProviderGateOptions extends Omit<KeyGateOptions, 'clock'> {
  readonly clock: Clock;
}

/** Callers choose the names of models, so gates that nobody needs are forgotten beyond this many. */
const MAX_GATES = 1_000;

/**
 * Every call of a provider passes here first: it takes a permit, in the order of arrival, within what is known of the limits
 * of its provider, account and model, and while the provider is not away.
 */
export class ProviderGate {
  private readonly options: ProviderGateOptions;
  private readonly gates = new Map<string, KeyGate>();

  constructor(options: ProviderGateOptions) {
    this.options = options;
  }

  /** @returns null when it has to be waited for */
  tryEnter(key: GateKey, tokens: number): Permit | null {
    return this.gateOf(key).tryEnter(tokens);
  }

  /**
   * @param tokens what the call may be charged with
   * @param order `next` goes before all that wait, `last` behind them
   * @throws the signal's reason; `ChatFailure` while the provider is away, if that is not to be waited for
   */
  enter(key: GateKey, tokens: number, order: 'next' | 'last', signal: AbortSignal): Promise<Permit> {
    return this.gateOf(key).enter(tokens, order, signal);
  }

  /** The gates as they are, for metrics. */
  states() {
    return [...this.gates.values()].map((gate) => gate.state());
  }

  private gateOf(key: GateKey): KeyGate {
    const id = `${key.provider}\n${key.account ?? ''}\n${key.model}`;
    const known = this.gates.get(id);
    if (known !== undefined) return known;
    if (this.gates.size >= MAX_GATES) this.forgetIdle();
    const gate = new KeyGate(key, this.options);
    this.gates.set(id, gate);
    return gate;
  }

  private forgetIdle(): void {
    for (const [id, gate] of this.gates) if (gate.isIdle) this.gates.delete(id);
  }
}
