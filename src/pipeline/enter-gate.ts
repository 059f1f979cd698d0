import type { Clock } from '../ports.ts';
import type { Permit } from './key-gate.ts';
import type { CallPlan } from './plan-call.ts';
import type { ProviderGate } from './provider-gate.ts';
import { limitTime } from './time-limit.ts';

/** Ends a wait. `atOnce`: without a place of its own, because the task is about to end. */
export type Unpark = (atOnce: boolean) => Promise<void>;

export interface EnteringOptions {
  readonly gate: ProviderGate;
  readonly clock: Clock;
  /** A request that waits leaves its place to others. */
  readonly park: () => Unpark;
  /** Fires when the service begins to stop: nobody waits any longer then. */
  readonly draining: AbortSignal;
}

/**
 * Takes a permit for one call of the plan, and leaves the request's place to others while it has to wait for one.
 *
 * @param deadline epoch ms, which alone ends the waiting; null when the signal takes care of it
 * @param order `next` for a request whose claim keeps others waiting
 * @throws `ChatFailure` when the deadline passes, or when the provider is away and that is not to be waited for; the reason of
 *   the signal or of `draining`
 */
export async function enterGate(
  plan: CallPlan,
  deadline: number | null,
  order: 'next' | 'last',
  { gate, clock, park, draining }: EnteringOptions,
  signal: AbortSignal,
): Promise<Permit> {
  const { provider, model } = plan;
  const key = { provider: provider.name, account: provider.account, model: model.id };
  const tokens = chargedTokens(plan);
  const free = gate.tryEnter(key, tokens);
  if (free !== null) return free;
  const unpark = park();
  const either = AbortSignal.any([signal, draining]);
  const limit = limitTime(either, deadline, Number.POSITIVE_INFINITY, clock.now());
  try {
    const permit = await gate.enter(key, tokens, order, limit.signal);
    await unpark(false);
    return permit;
  } catch (error) {
    await unpark(true);
    throw error;
  } finally {
    limit.clear();
  }
}

/**
 * What a call is charged with before it has used anything: the larger of its prompt and its output limit.
 *
 * @see https://platform.openai.com/docs/guides/rate-limits
 */
function chargedTokens({ estimatedInputTokens, maxOutputTokens }: CallPlan): number {
  return Math.max(1, estimatedInputTokens, maxOutputTokens ?? 0);
}
