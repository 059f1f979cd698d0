import type { Usage, UsageConfidence } from '../../contract/record-types.ts';
import type { DecimalText } from './price.ts';

/**
 * More tokens than this are not a count of one call but a fault. Sums of thousands of calls stay exact below it, and so
 * does every price.
 */
const MOST_TOKENS = 1_000_000_000_000;

/** Whether a value can be a number of tokens that one call used. */
export function isTokenCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MOST_TOKENS;
}

/** A usage with nothing but input and output tokens. */
export function plainUsage(inputTokens: number, outputTokens: number, confidence: UsageConfidence): Usage {
  return {
    inputTokens,
    outputTokens,
    totalTokens: add(inputTokens, outputTokens),
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

/** A usage as a provider told it: null is what it left out, zero is what it told as zero. */
export type ReportedUsage = Omit<Usage, 'inputTokens' | 'outputTokens' | 'totalTokens'> & {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalTokens: number | null;
  /** The provider's own cost of it, US dollars; null when it reported none. */
  readonly reportedCost?: DecimalText | null;
};

/** What a usage is completed by. */
export interface UsageEstimate {
  /** Of what was sent. */
  readonly inputTokens: number;
  /** Counts what arrived. */
  readonly arrived: () => number;
  /** Whether the answer broke off, so that what was told came before its end. */
  readonly broke: boolean;
}

/**
 * A told usage with nothing left open: one side follows from the total and the other side, else it is estimated. Of an
 * answer that broke off at least what arrived was used. Confidence PARTIAL where anything but the provider's word is in it.
 */
export function completeUsage(
  { reportedCost: _cost, ...reported }: ReportedUsage,
  { inputTokens, arrived, broke }: UsageEstimate,
): Usage {
  const input = reported.inputTokens ?? rest(reported.totalTokens, reported.outputTokens);
  const output = reported.outputTokens ?? rest(reported.totalTokens, reported.inputTokens);
  const usage = {
    inputTokens: input ?? inputTokens,
    outputTokens: output === null || broke ? Math.max(output ?? 0, arrived()) : output,
  };
  const isReported = usage.inputTokens === input && usage.outputTokens === output;
  const total = isReported ? reported.totalTokens : null;
  return {
    ...reported,
    ...usage,
    totalTokens: total ?? add(usage.inputTokens, usage.outputTokens),
    confidence: broke || input === null || output === null ? 'PARTIAL' : reported.confidence,
  };
}

function rest(total: number | null, part: number | null): number | null {
  return total === null || part === null || part > total ? null : total - part;
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
      inputTokens: add(sum.inputTokens, usage.inputTokens),
      outputTokens: add(sum.outputTokens, usage.outputTokens),
      totalTokens: add(sum.totalTokens, usage.totalTokens),
      cachedInputTokens: addReported(sum.cachedInputTokens, usage.cachedInputTokens),
      cacheWriteTokens: addReported(sum.cacheWriteTokens, usage.cacheWriteTokens),
      inputTextTokens: addReported(sum.inputTextTokens, usage.inputTextTokens),
      inputImageTokens: addReported(sum.inputImageTokens, usage.inputImageTokens),
      inputAudioTokens: addReported(sum.inputAudioTokens, usage.inputAudioTokens),
      reasoningTokens: addReported(sum.reasoningTokens, usage.reasoningTokens),
      outputTextTokens: addReported(sum.outputTextTokens, usage.outputTextTokens),
      outputAudioTokens: addReported(sum.outputAudioTokens, usage.outputAudioTokens),
      acceptedPredictionTokens: addReported(sum.acceptedPredictionTokens, usage.acceptedPredictionTokens),
      rejectedPredictionTokens: addReported(sum.rejectedPredictionTokens, usage.rejectedPredictionTokens),
      confidence: lesser(sum.confidence, usage.confidence),
      rawJson: null,
    }),
    first,
  );
}

/** Rows of earlier versions may hold counts that no call can have: a sum that is not exact must not stop a bill. */
function add(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
}

function addReported(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : add(one, other);
}

function lesser(one: UsageConfidence, other: UsageConfidence): UsageConfidence {
  return confidences.indexOf(one) > confidences.indexOf(other) ? one : other;
}
