import type { Choice, Usage } from '../../contract/record-types.ts';
import { completeUsage, plainUsage, type ReportedUsage } from '../../domain/cost/usage.ts';
import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { estimateOutput } from '../../domain/tokens/estimate-tokens.ts';
import { tokenRules } from '../../domain/tokens/token-rules.ts';
import type { TokenCounter } from '../../ports/tokens.ts';
import type { CallPlan } from '../admission/plan-call.ts';

/** How a call ended. */
export interface EndedCall {
  /** What the provider reported last; null when it reported nothing. */
  readonly reported: ReportedUsage | null;
  /** What ended it early; null when it is complete. */
  readonly thrown: unknown;
  /** Whether there was a connection to write it to. */
  readonly sent: boolean;
  /** Whether an answer began. */
  readonly begun: boolean;
  /** As far as they came. */
  readonly choices: readonly Choice[];
}

/**
 * What a call used: as the provider reported, where it reported; else what was sent and the tokens of what arrived. Reasoning that
 * is not shown is not in what arrived.
 *
 * @returns null when it used nothing: it was refused, or never sent
 */
export function usageOfCall(
  { reported, thrown, sent, begun, choices }: EndedCall,
  plan: CallPlan,
  tokens: TokenCounter,
): Usage | null {
  if (!begun && (!sent || isRefusal(thrown))) return null;
  const broke = begun && thrown !== null;
  const { encoding } = tokenRules(plan.model.id);
  const arrived = () => estimateOutput(choices, tokens.counting(encoding, { exact: true }));
  if (reported === null)
    return plainUsage(plan.estimatedInputTokens, arrived(), broke ? 'PARTIAL' : 'ESTIMATED');
  return completeUsage(reported, { inputTokens: plan.estimatedInputTokens, arrived, broke });
}

/** Any other call that was sent may have been run by the provider, also when no answer came. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof ChatFailure && thrown.httpStatus !== null;
}
