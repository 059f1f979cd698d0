import type { Usage, UsageConfidence } from '../../contract/record-types.ts';
import type { DecimalText } from './price.ts';

/**
 * More tokens than this cannot be one call's count: the number is wrong. Sums of thousands of calls stay exact below it, and so
 * does every price.
 */
const MOST_TOKENS = 1_000_000_000_000;

/** Whether a value can be a number of tokens that one call used. */
export function isTokenCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MOST_TOKENS;
}

/** A usage that has only input and output tokens. */
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

/** A usage as the provider reported it. Null: not reported. Zero: reported as zero. */
export type ReportedUsage = Omit<Usage, 'inputTokens' | 'outputTokens' | 'totalTokens'> & {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalTokens: number | null;
  /** The provider's own cost of the call, US dollars; null if it reported none. */
  readonly reportedCost?: DecimalText | null;
};

/** An estimate that fills gaps in reported usage. */
export interface UsageEstimate {
  /** Tokens of what was sent. */
  readonly inputTokens: number;
  /** Counts the tokens that arrived. */
  readonly arrived: () => number;
  /** Whether the answer broke off, so that the usage was reported before its end. */
  readonly broke: boolean;
  /** Whether more of the answer arrived after the report, which does not include it. Default: `broke`. */
  readonly wentOn?: boolean;
}

/**
 * Fills gaps in reported usage. A missing side follows from the total and the other side, else it is estimated. If the
 * answer broke off after the report, at least the tokens that arrived count. If it broke off, or anything but the report is in
 * the result, its confidence is PARTIAL.
 */
export function completeUsage(
  { reportedCost: _cost, ...reported }: ReportedUsage,
  { inputTokens, arrived, broke, wentOn = broke }: UsageEstimate,
): Usage {
  const input = reported.inputTokens ?? rest(reported.totalTokens, reported.outputTokens);
  const output = reported.outputTokens ?? rest(reported.totalTokens, reported.inputTokens);
  const usage = {
    inputTokens: input ?? inputTokens,
    outputTokens: output === null || (broke && wentOn) ? Math.max(output ?? 0, arrived()) : output,
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

/** From the most to the least reliable. */
const confidences: readonly UsageConfidence[] = ['PROVIDER', 'PARTIAL', 'ESTIMATED', 'NONE', 'UNKNOWN'];

/**
 * Adds up the usages of several calls. A detail that only some calls reported is null, because a partial sum would mislead.
 * The confidence is the lowest of theirs.
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

/** Rows of earlier versions may hold impossible counts. An inexact sum must not stop a bill. */
function add(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
}

function addReported(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : add(one, other);
}

function lesser(one: UsageConfidence, other: UsageConfidence): UsageConfidence {
  return confidences.indexOf(one) > confidences.indexOf(other) ? one : other;
}
