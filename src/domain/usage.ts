import type { Usage, UsageConfidence } from '../contract/records.ts';

/** A usage with nothing but input and output tokens. */
export function plainUsage(inputTokens: number, outputTokens: number, confidence: UsageConfidence): Usage {
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    cachedInputTokens: null,
    cacheWriteTokens: null,
    inputTextTokens: null,
    inputImageTokens: null,
    inputAudioTokens: null,
    reasoningTokens: null,
    outputTextTokens: null,
    outputAudioTokens: null,
    acceptedPredictionTokens: null,
    rejectedPredictionTokens: null,
    confidence,
    rawJson: null,
  };
}

/** From best known to least known. */
const confidences: readonly UsageConfidence[] = ['PROVIDER', 'PARTIAL', 'ESTIMATED', 'NONE', 'UNKNOWN'];

/**
 * The sum of several calls' usages. A detail that only some calls told is null, not a part of the truth; the confidence
 * is the least of theirs.
 */
export function sumUsage(usages: readonly Usage[]): Usage {
  const [first, ...others] = usages;
  if (first === undefined) return plainUsage(0, 0, 'NONE');
  if (others.length === 0) return { ...first };
  return others.reduce<Usage>(
    (sum, usage) => ({
      inputTokens: sum.inputTokens + usage.inputTokens,
      outputTokens: sum.outputTokens + usage.outputTokens,
      totalTokens: sum.totalTokens + usage.totalTokens,
      cachedInputTokens: addTold(sum.cachedInputTokens, usage.cachedInputTokens),
      cacheWriteTokens: addTold(sum.cacheWriteTokens, usage.cacheWriteTokens),
      inputTextTokens: addTold(sum.inputTextTokens, usage.inputTextTokens),
      inputImageTokens: addTold(sum.inputImageTokens, usage.inputImageTokens),
      inputAudioTokens: addTold(sum.inputAudioTokens, usage.inputAudioTokens),
      reasoningTokens: addTold(sum.reasoningTokens, usage.reasoningTokens),
      outputTextTokens: addTold(sum.outputTextTokens, usage.outputTextTokens),
      outputAudioTokens: addTold(sum.outputAudioTokens, usage.outputAudioTokens),
      acceptedPredictionTokens: addTold(sum.acceptedPredictionTokens, usage.acceptedPredictionTokens),
      rejectedPredictionTokens: addTold(sum.rejectedPredictionTokens, usage.rejectedPredictionTokens),
      confidence: lesser(sum.confidence, usage.confidence),
      rawJson: null,
    }),
    first,
  );
}

function addTold(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}

function lesser(one: UsageConfidence, other: UsageConfidence): UsageConfidence {
  return confidences.indexOf(one) > confidences.indexOf(other) ? one : other;
}
