import { describe, expect, it } from 'vitest';
import { mapUsage } from '../../../../src/adapters/openai/usage/map-usage.ts';

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
      reportedCost: null,
    });
  });

  it('keeps reported zeros, and returns null for unreported or invalid counts', () => {
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

  it('returns null for an unreported side, and no usage when neither was reported', () => {
    expect(mapUsage({ prompt_tokens: 3 })).toMatchObject({ inputTokens: 3, outputTokens: null });
    expect(mapUsage({ completion_tokens: 4 })).toMatchObject({ inputTokens: null, outputTokens: 4 });
    expect(mapUsage({ total_tokens: 9 })).toBeNull();
    expect(mapUsage('12')).toBeNull();
    expect(mapUsage({})).toBeNull();
  });

  it.each([
    ['OpenAI', { prompt_tokens_details: { cached_tokens: 64 } }],
    ['DeepSeek', { prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }],
    ['Moonshot', { cached_tokens: 64 }],
    ['vLLM gateways', { num_cached_tokens: 64 }],
    ['LiteLLM', { cache_read_input_tokens: 64, cache_creation_input_tokens: 0 }],
    ['a gateway that fills in zeros', { prompt_tokens_details: { cached_tokens: 0 }, cached_tokens: 64 }],
    ['a gateway with the names of Responses', { input_tokens_details: { cached_tokens: 64 } }],
  ])('reads cached tokens in the form of %s', (_who, cached) => {
    const usage = { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105, ...cached };
    expect(mapUsage(usage)).toMatchObject({ inputTokens: 100, outputTokens: 5, cachedInputTokens: 64 });
  });

  it('reads the names of the Responses API, and Anthropic’s cache counts outside the input', () => {
    expect(
      mapUsage({ input_tokens: 10, output_tokens: 4, output_tokens_details: { reasoning_tokens: 3 } }),
    ).toMatchObject({ inputTokens: 10, outputTokens: 4, reasoningTokens: 3 });
    expect(
      mapUsage({
        input_tokens: 10,
        cache_read_input_tokens: 200,
        cache_creation_input_tokens: 30,
        output_tokens: 4,
      }),
    ).toMatchObject({ inputTokens: 240, outputTokens: 4, cachedInputTokens: 200, cacheWriteTokens: 30 });
  });

  it.each([
    ['a number', { cost: 0.00014 }, '0.00014'],
    ['an exponent', { cost: 1.5e-7 }, '0.00000015'],
    ['text', { cost: '0.25' }, '0.25'],
    ['an object with a total', { cost: { input_tokens_cost: 0.001, total_cost: 0.006 } }, '0.006'],
    ['ticks', { cost_in_usd_ticks: 37_756_000 }, '0.0037756'],
    ['an estimate', { estimated_cost: 0.0000042 }, '0.0000042'],
    ['nothing', { cost: 0 }, '0'],
    ['a negative number', { cost: -1 }, null],
    ['a word', { cost: 'free' }, null],
    ['too much', { cost: 1e300 }, null],
  ])('keeps the provider’s own cost: %s', (_what, members, dollars) => {
    const usage = { prompt_tokens: 3, completion_tokens: 4, ...members };
    expect(mapUsage(usage)?.reportedCost).toBe(dollars);
  });
});
