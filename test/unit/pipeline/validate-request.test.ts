import { describe, expect, it } from 'vitest';
import type { ChatRequestInput } from '../../../src/contract/records.ts';
import { validateRequest } from '../../../src/pipeline/validate-request.ts';
import { chatRequest } from '../../support/fakes/handling.ts';

const problemsOf = (request: Partial<ChatRequestInput>) => validateRequest(chatRequest(request));
const user = { role: 'user', content: 'Hello' };
const call = { id: 'call_1', name: 'weather', arguments: '{}' };

describe('validateRequest', () => {
  it.each<[string, Partial<ChatRequestInput>]>([
    ['a plain question', {}],
    ['parts instead of content', { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] }],
    ['empty text', { messages: [{ role: 'user', content: '' }] }],
    ['a call without text', { messages: [user, { role: 'assistant', toolCalls: [call] }] }],
    ['a refusal without text', { messages: [user, { role: 'assistant', refusal: 'No.' }] }],
    ['an audio answer without text', { messages: [user, { role: 'assistant', audioId: 'audio_1' }] }],
    ['a tool’s result', { messages: [user, { role: 'tool', toolCallId: 'call_1', content: '{}' }] }],
    ['an id of 128 characters', { requestId: '~'.repeat(128) }],
    ['a limit of the cost', { maxCost: '0.123456789012' }],
    ['a limit of nothing', { maxCost: '0' }],
    ['a limit of 26 digits', { maxCost: '9'.repeat(26) }],
    ['a tenant’s name of 1,024 characters', { tenantId: 'x'.repeat(1_024) }],
    ['a model’s name of 1,024 characters', { model: 'x'.repeat(1_024) }],
    ['labels of 65,536 characters', { labels: { a: 'x'.repeat(65_530), four: 'b' } }],
    ['numbers of any sign', { temperature: 0, topP: 1, presencePenalty: -2, frequencyPenalty: 2 }],
  ])('accepts %s', (_what, request) => {
    expect(problemsOf(request)).toEqual([]);
  });

  it.each<[string, string, Partial<ChatRequestInput>]>([
    ['an empty id', 'requestId', { requestId: '' }],
    ['an id of 129 characters', 'requestId', { requestId: 'x'.repeat(129) }],
    ['an id with a space', 'requestId', { requestId: 'a b' }],
    ['an id that is not ASCII', 'requestId', { requestId: 'größe' }],
    ['no messages', 'messages', { messages: [] }],
    ['stored history', 'history', { history: 'STORED' }],
    ['a history that a newer version knows', 'history', { history: 'UNKNOWN' }],
    ['other models to fall back to', 'fallbackModels', { fallbackModels: ['gpt-4'] }],
    ['a cost that is no number', 'maxCost', { maxCost: 'much' }],
    ['a cost below nothing', 'maxCost', { maxCost: '-1' }],
    ['a cost with 13 decimals', 'maxCost', { maxCost: '0.1234567890123' }],
    ['a tenant’s name that is too long', 'tenantId', { tenantId: 'x'.repeat(1_025) }],
    ['a conversation’s name that is too long', 'conversationId', { conversationId: 'x'.repeat(1_025) }],
    ['a user’s name that is too long', 'userId', { userId: 'x'.repeat(1_025) }],
    ['a model’s name that is too long', 'model', { model: 'x'.repeat(1_025) }],
    ['labels of 65,537 characters', 'labels', { labels: { a: 'x'.repeat(65_531), four: 'b' } }],
    ['a cost of 27 digits', 'maxCost', { maxCost: '9'.repeat(27) }],
    ['a cost without a digit before the point', 'maxCost', { maxCost: '.5' }],
    ['a cost in powers of ten', 'maxCost', { maxCost: '1e3' }],
    ['an unknown role', 'messages[1].role', { messages: [user, { role: 'robot', content: 'Hello' }] }],
    [
      'content and parts',
      'messages[0]',
      { messages: [{ ...user, parts: [{ type: 'text', text: 'Hello' }] }] },
    ],
    ['neither content nor parts', 'messages[0]', { messages: [{ role: 'user' }] }],
    ['an assistant who says nothing', 'messages[1]', { messages: [user, { role: 'assistant' }] }],
    ['calls by a user', 'messages[0]', { messages: [{ role: 'user', toolCalls: [call] }] }],
    ['a result of no call', 'messages[1].toolCallId', { messages: [user, { role: 'tool', content: '{}' }] }],
    ['a temperature that is no number', 'temperature', { temperature: Number.NaN }],
    ['an infinite top-p', 'topP', { topP: Number.POSITIVE_INFINITY }],
    ['an infinite presence penalty', 'presencePenalty', { presencePenalty: Number.NEGATIVE_INFINITY }],
    ['a frequency penalty that is no number', 'frequencyPenalty', { frequencyPenalty: Number.NaN }],
  ])('refuses %s, naming %s', (_what, path, request) => {
    const problems = problemsOf(request);
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.message).toContain(path.replace(/\[\d+\]$/, ''));
  });

  it('names every problem at once', () => {
    const request = { requestId: '', temperature: Number.NaN, messages: [{ role: 'robot' }] };
    expect(problemsOf(request).map(({ path }) => path)).toEqual([
      'requestId',
      'messages[0].role',
      'messages[0]',
      'temperature',
    ]);
  });
});
