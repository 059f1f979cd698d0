import { describe, expect, it } from 'vitest';
import { mapUsage } from '../../../src/adapters/openai/map-usage.ts';

describe('mapUsage', () => {
  it('maps every detail and keeps the original', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: {
        cached_tokens: 1,
        cache_write_tokens: 2,
        text_tokens: 3,
        image_tokens: 4,
        audio_tokens: 5,
      },
      completion_tokens_details: {
        reasoning_tokens: 6,
        text_tokens: 7,
        audio_tokens: 8,
        accepted_prediction_tokens: 9,
        rejected_prediction_tokens: 0,
      },
      newer: { field: true },
    };
    expect(mapUsage(usage)).toEqual({
      inputTokens: 100,
      outputTokens: 50,
      totalTokens: 150,
      cachedInputTokens: 1,
      cacheWriteTokens: 2,
      inputTextTokens: 3,
      inputImageTokens: 4,
      inputAudioTokens: 5,
      reasoningTokens: 6,
      outputTextTokens: 7,
      outputAudioTokens: 8,
      acceptedPredictionTokens: 9,
      rejectedPredictionTokens: 0,
      confidence: 'PROVIDER',
      rawJson: JSON.stringify(usage),
    });
  });

  it('leaves null what was not told or is no count, and keeps the zeros that were told', () => {
    const details = { cached_tokens: null, audio_tokens: 1.5, text_tokens: -1, image_tokens: 0 };
    expect(
      mapUsage({ prompt_tokens: 3, completion_tokens: 0, prompt_tokens_details: details }),
    ).toMatchObject({
      inputTokens: 3,
      outputTokens: 0,
      totalTokens: null,
      cachedInputTokens: null,
      inputAudioTokens: null,
      inputTextTokens: null,
      inputImageTokens: 0,
      reasoningTokens: null,
      confidence: 'PROVIDER',
    });
  });

  it('leaves null a side that was not told, and is nothing when neither was', () => {
    expect(mapUsage({ prompt_tokens: 3 })).toMatchObject({ inputTokens: 3, outputTokens: null });
    expect(mapUsage({ completion_tokens: 4 })).toMatchObject({ inputTokens: null, outputTokens: 4 });
    expect(mapUsage({ total_tokens: 9 })).toBeNull();
    expect(mapUsage('12')).toBeNull();
  });
});
