import type { Permit } from './key-gate.ts';
import type { CallPlan } from './plan-call.ts';
import type { ProviderGate } from './provider-gate.ts';
import { type ParkingOptions, waitParked } from './wait-parked.ts';

export interface EnteringOptions extends ParkingOptions {
  readonly gate: ProviderGate;
}

/**
 * Takes a permit for one call of the plan, and leaves the request's slot to others while it has to wait for one.
 *
 * @param deadline epoch ms, which alone ends the waiting; null when the signal takes care of it
 * @param order `next` for a request whose claim keeps others waiting
 * @throws `ChatFailure` when the deadline passes, or when the provider is unavailable and that is not to be waited for; the reason of
 *   the signal or of `draining`
 */
export async function enterGate(
  plan: CallPlan,
  deadline: number | null,
  order: 'next' | 'last',
  options: EnteringOptions,
  signal: AbortSignal,
): Promise<Permit> {
  const { provider, model } = plan;
  const key = { provider: provider.name, account: provider.account, model: model.id };
  const tokens = chargedTokens(plan);
  const free = options.gate.tryEnter(key, tokens);
  if (free !== null) return free;
  return waitParked((ended) => options.gate.enter(key, tokens, order, ended), deadline, options, signal);
}

/**
 * What a call is charged with before it has used anything: the larger of its prompt and its output limit.
 *
 * @see https://platform.openai.com/docs/guides/rate-limits
 */
function chargedTokens({ estimatedInputTokens, maxOutputTokens }: CallPlan): number {
  return Math.max(1, estimatedInputTokens, maxOutputTokens ?? 0);
}
