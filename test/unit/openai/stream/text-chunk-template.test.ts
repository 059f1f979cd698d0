import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapChunk } from '../../../../src/adapters/openai/response/map-chunk.ts';
import { TextChunkTemplate } from '../../../../src/adapters/openai/stream/text-chunk-template.ts';
import type { CompletionDelta } from '../../../../src/domain/completion/completion-delta.ts';

type Choice = Readonly<Record<string, unknown>>;

const envelope = {
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_760_000_000,
  model: 'gpt-4',
};

function chunk(choices: readonly Choice[], rest: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ ...envelope, choices, ...rest });
}

function text(content: string, rest: Readonly<Record<string, unknown>> = {}): string {
  return chunk([{ index: 0, delta: { content }, logprobs: null, finish_reason: null }], rest);
}

function parsed(payload: string): CompletionDelta[] {
  const deltas: CompletionDelta[] = [];
  mapChunk(JSON.parse(payload), deltas);
  return deltas;
}

function taught(...payloads: readonly string[]): TextChunkTemplate {
  const template = new TextChunkTemplate();
  for (const payload of payloads) template.learn(payload, parsed(payload));
  return template;
}

describe('the template of text chunks', () => {
  it('reads any text as parsing would, or leaves it to be parsed', () => {
    const template = taught(text('Hello'));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (content) => {
        const payload = text(content);
        const read = template.read(payload);
        if (read !== null) expect([read]).toEqual(parsed(payload));
        else expect(content === '' || JSON.stringify(content) !== `"${content}"`).toBe(true);
      }),
    );
  });

  it('matches nothing before it has seen a chunk of text', () => {
    expect(new TextChunkTemplate().read(text('Hello'))).toBeNull();
  });

  it.each([
    ['another choice', chunk([{ index: 1, delta: { content: 'x' }, logprobs: null, finish_reason: null }])],
    [
      'a finish reason',
      chunk([{ index: 0, delta: { content: 'x' }, logprobs: null, finish_reason: 'stop' }]),
    ],
    ['usage', text('x', { usage: { prompt_tokens: 1 } })],
    ['an escape', text('line\nbreak')],
    ['a quotation mark', text('he said "no"')],
    ['a member that tries to hide in the text', text('x"},"finish_reason":"stop","delta":{"content":"y')],
  ])('leaves a chunk with %s to the parser', (_what, payload) => {
    expect(taught(text('Hello')).read(payload)).toBeNull();
  });

  it.each([
    ['a role', chunk([{ index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: null }])],
    ['a tool call', chunk([{ index: 0, delta: { content: 'x', tool_calls: [{ index: 0, id: 'call_1' }] } }])],
    [
      'two choices',
      chunk([
        { index: 0, delta: { content: 'x' } },
        { index: 1, delta: { content: 'x' } },
      ]),
    ],
    ['escapes', text('a\tb')],
    ['no text', chunk([{ index: 0, delta: {}, finish_reason: 'stop' }])],
    ['usage beside its text', text('x', { usage: { prompt_tokens: 1 } })],
    [
      'its text in front of the choices',
      JSON.stringify({ note: { content: 'x' }, choices: [{ delta: { content: 'x' } }] }),
    ],
    ['spaces between its members', text('x').replace('"content":', '"content": ')],
  ])('learns nothing from a chunk with %s', (_what, payload) => {
    expect(taught(payload).read(payload)).toBeNull();
  });

  it('gives up on streams whose chunks differ in more than their text', () => {
    const random = [1, 2, 3].map((number) => text('x', { obfuscation: `o${number}` }));
    const template = taught(...random);
    expect(template.read(text('y', { obfuscation: 'o2' }))?.content).toBe('y');
    expect(template.read(text('y', { obfuscation: 'o3' }))).toBeNull();
  });
});
