import type { Line } from '../../domain/queues/fair-queue.ts';
import { KeyGate, type KeyGateOptions } from './key-gate.ts';
import type { Permit } from './permit.ts';
import { type Seat, Slots, type SlotsOptions, type Task } from './slots.ts';
import { limitTime } from './time-limit.ts';

export interface AdmissionOptions extends SlotsOptions, Omit<KeyGateOptions, 'slots' | 'weightOf'> {}

/** What a call's gate has to know of its plan. */
export interface PlannedCall {
  readonly provider: { readonly name: string; readonly account: string | null };
  readonly model: { readonly id: string };
  readonly estimatedInputTokens: number;
  readonly maxOutputTokens: number | null;
}

/** How long a wait may take. */
export interface WaitLimit {
  /** Epoch ms, which ends the waiting; null when the signal takes care of it. */
  readonly deadline: number | null;
  readonly signal: AbortSignal;
}

/** Callers choose the names of models, so gates that nobody needs are forgotten beyond this many. */
const MAX_GATES = 1_000;

/**
 * Decides which request goes on when: it owns the slots of this worker (`MAX_IN_FLIGHT`), the permits to call a provider, and every
 * wait for either. A request that waits holds neither. It gets a permit together with the slot to use it, so no slot waits for a
 * permit and no permit for a slot. Tenants take turns by their weights for both. Every wait ends when its deadline
 * passes, when its signal fires or when the service begins to stop.
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

  /** What is scheduled and not finished, by what it does. */
  get counts() {
    return this.slots.counts;
  }

  /** Fires when the service begins to stop: nobody waits any longer then. */
  get draining(): AbortSignal {
    return this.drainBegun.signal;
  }

  /** Runs it when the tasks before it under its key are done and it gets a slot. */
  schedule(task: Task): void {
    this.slots.schedule(task);
  }

  /** Ends every wait, now and from now on, with this reason. */
  drain(reason: Error): void {
    this.drainBegun.abort(reason);
  }

  /**
   * Waits for something that may take long, without a slot.
   *
   * @param work must reject with the signal's reason when that fires
   * @throws `ChatFailure` when the deadline passes; the reason of the signal or of `draining`; what `work` throws. The request
   *   has a slot again in any case: beyond the limit when it is about to end
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
   * Takes a permit for one call of the plan; while there is none, or no slot to use it, the request waits without either.
   *
   * @param line `again` for a request whose claim keeps others waiting
   * @param before waits for something else first, without a slot too
   * @throws as `wait` does; `ChatFailure` when the provider is unavailable and that is not to be waited for
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

  /** For a request that has a slot. @returns null when a permit has to be waited for */
  tryEnter(plan: PlannedCall): Permit | null {
    return this.gateOf(plan).tryEnter(chargedTokens(plan));
  }

  /** The gates as they are, for metrics: not of models that no call has reached. */
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

  /** Those first that never had an answer: what the others have learned of their limits is worth keeping. */
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
