import type { Line } from '../../domain/queues/fair-queue.ts';
import { KeyGate, type KeyGateOptions } from './key-gate.ts';
import type { Permit } from './permit.ts';
import { type Seat, Slots, type SlotsOptions, type Task } from './slots.ts';
import { limitTime } from './time-limit.ts';

export interface AdmissionOptions extends SlotsOptions, Omit<KeyGateOptions, 'slots' | 'weightOf'> {}

/** The facts of a plan that its gate needs. */
export interface PlannedCall {
  readonly provider: { readonly name: string; readonly account: string | null };
  readonly model: { readonly id: string };
  readonly estimatedInputTokens: number;
  readonly maxOutputTokens: number | null;
}

/** How long a wait may last. */
export interface WaitLimit {
  /** Epoch ms at which the wait ends; null if the signal ends it. */
  readonly deadline: number | null;
  readonly signal: AbortSignal;
}

/** Callers choose the names of models, so beyond this many, unused gates are forgotten. */
const MAX_GATES = 1_000;

/**
 * Decides which request continues when. It owns the slots of this worker (`MAX_IN_FLIGHT`), the permits to call a provider, and
 * every wait for either.
 *
 * - A waiting request holds neither slot nor permit. It gets both together, so neither waits for the other.
 * - Tenants take turns by their weights for both.
 * - A wait ends when its deadline passes, when its signal fires or when the service starts to stop.
 */
export class Admission {
  private readonly options: AdmissionOptions;
  private readonly slots: Slots;
  private readonly gates = new Map<string, KeyGate>();
  private readonly drainBegun = new AbortController();

  constructor(options: AdmissionOptions) {
    this.options = options;
    this.slots = new Slots(options);
  }

  /** Scheduled tasks that are not finished, by state. */
  get counts() {
    return this.slots.counts;
  }

  /** Fires when the service starts to stop. From then on nobody waits. */
  get draining(): AbortSignal {
    return this.drainBegun.signal;
  }

  /** Runs the task once the tasks before it under its key are done and a slot is free. */
  schedule(task: Task): void {
    this.slots.schedule(task);
  }

  /** Ends every current and later wait with this reason. */
  drain(reason: Error): void {
    this.drainBegun.abort(reason);
  }

  /**
   * Waits for something that may take long, without a slot.
   *
   * @param work must reject with the signal's reason when that fires
   * @throws `ChatFailure` when the deadline passes; the reason of the signal or of `draining`; what `work` throws. In any case
   *   the request has a slot again. If it is about to end, it gets the slot beyond the limit.
   */
  async wait<Result>(
    seat: Seat,
    work: (signal: AbortSignal) => Promise<Result>,
    { deadline, signal }: WaitLimit,
  ): Promise<Result> {
    const either = AbortSignal.any([signal, this.draining]);
    const limit = limitTime(either, deadline, Number.POSITIVE_INFINITY, this.options.clock.now());
    this.slots.leave(seat);
    try {
      const result = await work(limit.signal);
      await this.slots.comeBack(seat, limit.signal);
      return result;
    } finally {
      this.slots.takeAnyway(seat);
      limit.clear();
    }
  }

  /**
   * Takes a permit for one call of the plan. Without a free permit or slot, the request waits and holds neither.
   *
   * @param line `again` for a request whose claim keeps others waiting
   * @param before waits for something else first, also without a slot
   * @throws as `wait` does; `ChatFailure` if the provider is unavailable and the request may not wait for it
   */
  async enter(
    seat: Seat,
    plan: PlannedCall,
    line: Line,
    limit: WaitLimit,
    before: ((signal: AbortSignal) => Promise<void>) | null = null,
  ): Promise<Permit> {
    const free = before === null ? this.tryEnter(plan) : null;
    if (free !== null) return free;
    const enter = (ended: AbortSignal) => this.gateOf(plan).enter(seat, chargedTokens(plan), line, ended);
    if (before === null) return this.wait(seat, enter, limit);
    return this.wait(seat, (ended) => before(ended).then(() => enter(ended)), limit);
  }

  /** For a request that has a slot. @returns null if it has to wait for a permit */
  tryEnter(plan: PlannedCall): Permit | null {
    return this.gateOf(plan).tryEnter(chargedTokens(plan));
  }

  /** The gates for metrics, without those of models that no call has reached. */
  gateStates() {
    const states = [...this.gates.values()].filter(({ hasAnswered, isIdle }) => hasAnswered || !isIdle);
    return states.map((gate) => gate.state());
  }

  private gateOf({ provider, model }: PlannedCall): KeyGate {
    const id = `${provider.name}\n${provider.account ?? ''}\n${model.id}`;
    const known = this.gates.get(id);
    if (known !== undefined) return known;
    if (this.gates.size >= MAX_GATES) this.forgetIdle();
    const key = { provider: provider.name, account: provider.account, model: model.id };
    const gate = new KeyGate(key, { ...this.options, slots: this.slots });
    this.gates.set(id, gate);
    return gate;
  }

  /** Gates that never had an answer go first: what the others have learned of their limits is worth keeping. */
  private forgetIdle(): void {
    const idle = [...this.gates].filter(([, gate]) => gate.isIdle);
    const unanswered = idle.filter(([, gate]) => !gate.hasAnswered);
    for (const [id] of unanswered.length > 0 ? unanswered : idle) this.gates.delete(id);
  }
}

/**
 * What a call is charged with before it has used anything: the larger of its prompt and its output limit.
 *
 * @see https://platform.openai.com/docs/guides/rate-limits
 */
function chargedTokens({ estimatedInputTokens, maxOutputTokens }: PlannedCall): number {
  return Math.max(1, estimatedInputTokens, maxOutputTokens ?? 0);
}
