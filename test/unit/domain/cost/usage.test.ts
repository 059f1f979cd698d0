import { describe, expect, it } from 'vitest';
import type { UsageConfidence } from '../../../../src/contract/record-types.ts';
import { plainUsage, sumUsage } from '../../../../src/domain/cost/usage.ts';

describe('plainUsage', () => {
  it('has the tokens and no details', () => {
    const usage = plainUsage(3, 4, 'ESTIMATED');
    expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 4, totalTokens: 7, confidence: 'ESTIMATED' });
    expect(usage.cachedInputTokens).toBeNull();
    expect(usage.rawJson).toBeNull();
  });
});

describe('sumUsage', () => {
  it('of no calls is null', () => {
    expect(sumUsage([])).toEqual(plainUsage(0, 0, 'NONE'));
  });

  it('of one call is the usage of that call, with its provider’s JSON', () => {
    const usage = { ...plainUsage(3, 4, 'PROVIDER'), reasoningTokens: 2, rawJson: '{}' };
    expect(sumUsage([usage])).toEqual(usage);
  });

  it('adds every detail that all calls reported', () => {
    const reported = {
      inputTokens: 1,
      outputTokens: 2,
      totalTokens: 3,
      cachedInputTokens: 4,
      cacheWriteTokens: 5,
      inputTextTokens: 6,
      inputImageTokens: 7,
      inputAudioTokens: 8,
      reasoningTokens: 9,
      outputTextTokens: 10,
      outputAudioTokens: 11,
      acceptedPredictionTokens: 12,
      rejectedPredictionTokens: 13,
    };
    const usage = { ...reported, confidence: 'PROVIDER' as const, rawJson: '{}' };
    const thrice = Object.fromEntries(Object.entries(reported).map(([name, tokens]) => [name, tokens * 3]));
    expect(sumUsage([usage, usage, usage])).toEqual({ ...thrice, confidence: 'PROVIDER', rawJson: null });
  });

  it('stays a safe integer for any values that earlier versions stored', () => {
    const huge = { ...plainUsage(2 ** 53 - 1, 2 ** 53 - 1, 'PROVIDER'), cachedInputTokens: 2 ** 53 - 1 };
    const sum = sumUsage([huge, huge, huge]);
    for (const count of [
      huge.totalTokens,
      sum.inputTokens,
      sum.outputTokens,
      sum.totalTokens,
      sum.cachedInputTokens,
    ])
      expect(count).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('has no detail that one call did not report', () => {
    const detailed = { ...plainUsage(10, 20, 'PROVIDER'), cachedInputTokens: 5, reasoningTokens: 7 };
    const sum = sumUsage([detailed, plainUsage(1, 2, 'PROVIDER'), detailed]);
    expect(sum).toMatchObject({
      inputTokens: 21,
      outputTokens: 42,
      cachedInputTokens: null,
      reasoningTokens: null,
    });
  });

  it.each<[UsageConfidence[], UsageConfidence]>([
    [['PROVIDER', 'PROVIDER'], 'PROVIDER'],
    [['PROVIDER', 'PARTIAL'], 'PARTIAL'],
    [['ESTIMATED', 'PARTIAL', 'PROVIDER'], 'ESTIMATED'],
    [['ESTIMATED', 'NONE'], 'NONE'],
    [['UNKNOWN', 'PROVIDER'], 'UNKNOWN'],
  ])('of %j has the lowest confidence of them', (confidences, least) => {
    expect(sumUsage(confidences.map((confidence) => plainUsage(1, 1, confidence))).confidence).toBe(least);
  });
});
