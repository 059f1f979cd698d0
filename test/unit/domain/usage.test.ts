import { describe, expect, it } from 'vitest';
import type { UsageConfidence } from '../../../src/contract/records.ts';
import { plainUsage, sumUsage } from '../../../src/domain/usage.ts';

describe('plainUsage', () => {
  it('tells the tokens and no detail', () => {
    const usage = plainUsage(3, 4, 'ESTIMATED');
    expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 4, totalTokens: 7, confidence: 'ESTIMATED' });
    expect(usage.cachedInputTokens).toBeNull();
    expect(usage.rawJson).toBeNull();
  });
});

describe('sumUsage', () => {
  it('of nothing is nothing', () => {
    expect(sumUsage([])).toEqual(plainUsage(0, 0, 'NONE'));
  });

  it('of one call is what that call used, with the words of its provider', () => {
    const usage = { ...plainUsage(3, 4, 'PROVIDER'), reasoningTokens: 2, rawJson: '{}' };
    expect(sumUsage([usage])).toEqual(usage);
  });

  it('adds every detail that all calls told', () => {
    const told = {
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
    const usage = { ...told, confidence: 'PROVIDER' as const, rawJson: '{}' };
    const thrice = Object.fromEntries(Object.entries(told).map(([name, tokens]) => [name, tokens * 3]));
    expect(sumUsage([usage, usage, usage])).toEqual({ ...thrice, confidence: 'PROVIDER', rawJson: null });
  });

  it('stays a safe integer, whatever earlier versions stored', () => {
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

  it('does not take a part for the whole: a detail that one call did not tell is unknown', () => {
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
  ])('of %j is only as well known as the least of them', (confidences, least) => {
    expect(sumUsage(confidences.map((confidence) => plainUsage(1, 1, confidence))).confidence).toBe(least);
  });
});
