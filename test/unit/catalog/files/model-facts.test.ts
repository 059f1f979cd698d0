import { describe, expect, it } from 'vitest';
import { modelFacts } from '../../../../src/catalog/files/model-facts.ts';
import { families, shippedModelEntries } from '../../../../src/catalog/files/shipped-catalog.ts';

const factsOf = (id: string) => modelFacts('openai', id, shippedModelEntries, families);

describe('the facts of a listed model', () => {
  it('come from the file', () => {
    expect(factsOf('gpt-4o')).toMatchObject({
      source: 'shipped models.json',
      contextWindow: 128_000,
      snapshot: 'gpt-4o-2024-08-06',
    });
  });

  it.each([
    ['gpt-4o-2029-01-01', 'gpt-4o'],
    ['ft:gpt-4o-mini-2024-07-18:acme::abc123', 'gpt-4o-mini'],
    ['gpt-4-9999', 'gpt-4'],
  ])(
    'of the snapshot or copy %s are those of %s, as inferred and without its aliases and dates',
    (id, base) => {
      const { contextWindow, capabilities } = factsOf(base);
      expect(factsOf(id)).toMatchObject({
        id,
        contextWindow,
        capabilities,
        source: 'inferred',
        aliases: [],
        snapshot: null,
        shutdownAt: null,
      });
    },
  );

  it('are those of the family for an unknown model of that family, without sizes', () => {
    expect(factsOf('gpt-5.9-pro')).toMatchObject({
      source: 'inferred',
      contextWindow: null,
      maxOutputTokens: null,
      maxTokensParameter: 'max_completion_tokens',
      refusedWhileReasoning: expect.arrayContaining(['temperature']),
      capabilities: expect.arrayContaining(['reasoning', 'tools']),
    });
    expect(factsOf('gpt-audio-9').capabilities).toEqual(
      expect.arrayContaining(['audio_input', 'audio_output']),
    );
    expect(factsOf('text-embedding-3-large').capabilities).toEqual([]);
  });

  it('come from the longest prefix that ends with a part of the name', () => {
    expect(factsOf('gpt-4o-realtime-preview-x').capabilities).toEqual([]);
    expect(factsOf('gpt-4x').capabilities).toEqual(['chat', 'streaming']);
  });

  it.each([
    ['gpt-5.1', 'none'],
    ['gpt-5.1-2025-11-13', 'none'],
    ['gpt-5.2-2029-01-01', 'none'],
    ['gpt-5.4', 'none'],
    ['gpt-5.4-mini', 'none'],
    ['gpt-5.4-nano', 'none'],
    ['ft:gpt-5.4-mini:acme::x', 'none'],
    ['gpt-5.4-pro', 'medium'],
    ['gpt-5.1-codex-mini', 'medium'],
    ['gpt-5.2-chat-latest', 'medium'],
    ['gpt-5', 'medium'],
    ['gpt-5-nano', 'medium'],
    ['gpt-5.5', 'medium'],
    ['gpt-5.6-luna', 'medium'],
    ['gpt-6-sol', 'medium'],
    ['o4-mini', 'medium'],
    ['gpt-4o', null],
    ['llama-9', null],
  ])('include the default reasoning effort of %s: %s', (id, effort) => {
    expect(factsOf(id).defaultReasoningEffort).toBe(effort);
  });

  it.each([
    'text-embedding-3-small',
    'nomic-embed-text:latest',
    'bge-reranker-v2',
    'qwen3-embedding',
    'gpt-4o-mini-transcribe-2025-12-15',
    'gpt-5-tts',
    'gpt-realtime-2',
    'dall-e-4',
    'gpt-image-2',
    'whisper-large-v3',
    'omni-moderation-latest',
    'stable-diffusion-3',
    'o3-pro',
    'gpt-5.2-pro-2025-12-11',
    'gpt-5-codex',
    'o4-mini-deep-research',
  ])('does not take %s for a model that chats', (id) => {
    expect(factsOf(id).capabilities).not.toContain('chat');
  });

  it.each(['gpt-audio-9', 'imaginary-1', 'llama-4-scout', 'gpt-5.2-chat-latest', 'embedder9'])(
    'takes %s for one',
    (id) => {
      expect(factsOf(id).capabilities).toContain('chat');
    },
  );

  it('are empty for an unknown family', () => {
    expect(factsOf('llama-9')).toMatchObject({
      provider: 'openai',
      maxTokensParameter: null,
      refusedParameters: [],
      capabilities: ['chat', 'streaming'],
    });
  });
});
