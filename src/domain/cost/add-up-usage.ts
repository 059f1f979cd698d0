import type { ReportedUsage } from './usage.ts';

/**
 * A reported usage whose parts are counted as the contract counts them: reasoning within the output, cached tokens within
 * the input. Some providers count them beside; the total that they report shows which.
 *
 * - `total = input + output`: nothing is beside.
 * - `total = input + output + reasoning`: reasoning is beside the output (xAI). It is added to it.
 * - `total = input + output + cached (+ written)`: the cache is beside the input. It is added to it.
 * - A larger total without any count of reasoning: the rest is reasoning that is not reported (Gemini), which is output.
 * - A total of zero beside counts that are not is a field that the server does not fill.
 *
 * Anything else does not add up. It is returned as it was reported, and `calculateCost` refuses to price it.
 */
export function addUpUsage(reported: ReportedUsage): ReportedUsage {
  const { inputTokens, outputTokens, totalTokens, reasoningTokens } = reported;
  if (inputTokens === null || outputTokens === null || totalTokens === null) return reported;
  const sum = inputTokens + outputTokens;
  if (totalTokens === sum) return reported;
  if (totalTokens === 0) return { ...reported, totalTokens: null };

  const beside = totalTokens - sum;
  const reasoning = reasoningTokens ?? 0;
  const cached = (reported.cachedInputTokens ?? 0) + (reported.cacheWriteTokens ?? 0);
  if (reasoning > 0 && beside === reasoning) return { ...reported, outputTokens: outputTokens + reasoning };
  if (cached > 0 && beside === cached) return { ...reported, inputTokens: inputTokens + cached };
  if (reasoning > 0 && cached > 0 && beside === reasoning + cached)
    return { ...reported, inputTokens: inputTokens + cached, outputTokens: outputTokens + reasoning };
  if (reasoningTokens === null && beside > 0)
    return { ...reported, outputTokens: outputTokens + beside, reasoningTokens: beside };
  return reported;
}
