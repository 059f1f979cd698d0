import { describe, expect, it } from 'vitest';
import { estimateInputTokens, estimateTextTokens } from '../../../src/domain/estimate-tokens.ts';
import { sampleMessage, sampleRequest } from '../../support/fakes/sample-request.ts';

describe('estimateTextTokens', () => {
  it('counts a token for every four bytes begun', () => {
    expect([0, 1, 4, 5].map(estimateTextTokens)).toEqual([0, 1, 1, 2]);
  });
});

describe('estimateInputTokens', () => {
  it('counts the framing of an empty conversation', () => {
    expect(estimateInputTokens(sampleRequest({ messages: [] }))).toBe(3);
    expect(estimateInputTokens(sampleRequest({ messages: [sampleMessage({ content: '' })] }))).toBe(6);
  });

  it('counts text, text parts, tool calls and tool definitions', () => {
    const part = {
      type: 'text',
      text: '12345678',
      url: null,
      data: null,
      mediaType: null,
      format: null,
      detail: null,
      fileId: null,
      fileName: null,
      cacheBreakpoint: null,
    };
    const call = {
      id: 'x',
      type: 'function',
      name: 'abcd',
      arguments: '{"a":12}',
      valid: null,
      problems: [],
    };
    const tool = {
      type: 'function',
      name: 'abcd',
      description: 'does',
      parametersJson: '{"a":{}}',
      strict: null,
      grammarSyntax: null,
      grammarDefinition: null,
    };
    const request = sampleRequest({
      messages: [
        sampleMessage({ content: '1234' }),
        sampleMessage({
          content: null,
          parts: [part, { ...part, type: 'image_url', text: null, url: 'x'.repeat(99) }],
        }),
        sampleMessage({ role: 'assistant', content: null, toolCalls: [call] }),
      ],
      tools: [tool, { ...tool, description: null, parametersJson: null }],
    });
    expect(estimateInputTokens(request)).toBe((4 + 8 + 12 + 16 + 4) / 4 + 3 * 3 + 3);
  });
});
