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
  /** Whether pieces of the answer arrived after that report. */
  readonly wentOn: boolean;
  /** The error that ended it early; null if it is complete. */
  readonly thrown: unknown;
  /** Whether there was a connection to send it on. */
  readonly sent: boolean;
  /** Whether an answer started. */
  readonly begun: boolean;
  /** What arrived of them. */
  readonly choices: readonly Choice[];
}

/**
 * What a call used, as the provider reported it. Gaps are filled from what was sent and the tokens that arrived, which do not
 * include hidden reasoning.
 *
 * @returns null if it used nothing: it was refused, or never sent
 */
export function usageOfCall(
  { reported, wentOn, thrown, sent, begun, choices }: EndedCall,
  plan: CallPlan,
  tokens: TokenCounter,
): Usage | null {
  if (!begun && (!sent || isRefusal(thrown))) return null;
  const broke = begun && thrown !== null;
  const { encoding } = tokenRules(plan.model.id);
  const arrived = () => estimateOutput(choices, tokens.counting(encoding, { exact: true }));
  if (reported === null)
    return plainUsage(plan.estimatedInputTokens, arrived(), broke ? 'PARTIAL' : 'ESTIMATED');
  return completeUsage(reported, { inputTokens: plan.estimatedInputTokens, arrived, broke, wentOn });
}

/** The provider may have run any other call that was sent, even without an answer. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof ChatFailure && thrown.httpStatus !== null;
}
