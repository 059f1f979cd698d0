import { describe, expect, it } from 'vitest';
import { mapChunk } from '../../../../src/adapters/openai/response/map-chunk.ts';
import type { CompletionDelta } from '../../../../src/domain/completion/completion-delta.ts';

function deltaOf(delta: unknown, choice: Record<string, unknown> = {}): CompletionDelta | undefined {
  const deltas: CompletionDelta[] = [];
  mapChunk({ choices: [{ index: 0, delta, ...choice }] }, deltas);
  return deltas[0];
}

describe('mapChunk', () => {
  it('shares one empty list between deltas without tool calls', () => {
    expect(deltaOf({ content: 'a' })?.toolCalls).toBe(deltaOf({ content: 'b' })?.toolCalls);
  });

  it('maps pieces of tool calls of both kinds', () => {
    const tool_calls = [
      { index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '{' } },
      { index: 1, custom: { input: 'SELECT' } },
      { function: { arguments: '}' } },
      'broken',
    ];
    expect(deltaOf({ tool_calls })?.toolCalls).toEqual([
      { index: 0, id: 'call_1', type: 'function', name: 'f', arguments: '{', extraJson: null },
      { index: 1, id: null, type: 'custom', name: null, arguments: 'SELECT', extraJson: null },
      { index: 2, id: null, type: null, name: null, arguments: '}', extraJson: null },
    ]);
    expect(deltaOf({ tool_calls: [{ index: 0, id: '' }] })).toBeUndefined();
  });

  it('maps the older function_call as the only tool call', () => {
    expect(deltaOf({ function_call: { name: 'f', arguments: '' } })?.toolCalls).toEqual([
      { index: 0, id: null, type: 'function_call', name: 'f', arguments: '', extraJson: null },
    ]);
    expect(deltaOf({ function_call: { arguments: '{}' } })?.toolCalls).toBeUndefined();
    expect(deltaOf({ function_call: { arguments: '{"a"' } })?.toolCalls).toEqual([
      { index: 0, id: null, type: null, name: null, arguments: '{"a"', extraJson: null },
    ]);
  });

  it('maps audio to bytes and milliseconds', () => {
    expect(deltaOf({ audio: { id: 'a', data: 'AAEC', expires_at: 2, transcript: 'x' } })?.audio).toEqual({
      id: 'a',
      data: Buffer.from([0, 1, 2]),
      transcript: 'x',
      expiresAt: 2000,
    });
    expect(deltaOf({ audio: { id: '', data: '', transcript: '', expires_at: null } })).toBeUndefined();
  });

  it('keeps log probabilities, annotations and unknown fields as JSON', () => {
    const annotations = [{ type: 'url_citation' }];
    const delta = deltaOf(
      { reasoning_content: 'hm', tool_calls: 'odd', nothing: null, annotations },
      { logprobs: { content: [] } },
    );
    expect(delta?.logprobsJson).toBe('{"content":[]}');
    expect(delta?.annotationsJson).toBe('[{"type":"url_citation"}]');
    expect(delta?.extraJson).toBe('{"reasoning_content":"hm","tool_calls":"odd"}');
  });

  it('keeps an unknown field with any name', () => {
    const delta = JSON.parse('{"__proto__":{"a":1},"constructor":"x","toString":"y"}') as object;
    expect(deltaOf(delta)?.extraJson).toBe('{"__proto__":{"a":1},"constructor":"x","toString":"y"}');
  });

  it.each<[unknown, string, string | null, string | null]>([
    [[{ type: 'text', text: 'x' }], 'x', null, null],
    [
      ['a', { text: 'b' }, { type: 'output_text', text: 'c' }, { type: 'text', text: { value: 'd' } }],
      'abcd',
      null,
      null,
    ],
    [[{ type: 'refusal', refusal: 'no' }], '', 'no', null],
    [
      [
        { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
        { type: 'text', text: '1' },
      ],
      '1',
      null,
      '{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}',
    ],
    [
      [
        { type: 'text', text: '1', annotations: [{ url: 'u' }] },
        { type: 'text', text: '2', annotations: [] },
        3,
      ],
      '12',
      null,
      '{"content":[{"type":"text","annotations":[{"url":"u"}]},3]}',
    ],
    [{ answer: 42, text: 'x' }, '{"answer":42,"text":"x"}', null, null],
    [{ type: 'text', text: 'x' }, 'x', null, null],
    [{ type: 'circle', radius: 1 }, '{"type":"circle","radius":1}', null, null],
    [1, '1', null, null],
    [false, 'false', null, null],
    [[], '', null, null],
  ])('reads content %j', (content, text, refusal, extraJson) => {
    const delta = deltaOf({ role: 'assistant', content });
    expect(delta).toMatchObject({ content: text, refusal, extraJson });
  });

  it('numbers choices by position when they have no index, and leaves out invalid and empty ones', () => {
    const deltas: CompletionDelta[] = [];
    mapChunk({ choices: [null, { delta: { content: 'x' } }, { finish_reason: 'stop' }] }, deltas);
    mapChunk({ choices: [{ index: 4, delta: { content: '', refusal: '' }, finish_reason: '' }] }, deltas);
    mapChunk({ object: 'ping' }, deltas);
    expect(
      deltas.map(({ choiceIndex, content, finishReason }) => [choiceIndex, content, finishReason]),
    ).toEqual([
      [1, 'x', null],
      [2, '', 'stop'],
    ]);
  });
});
