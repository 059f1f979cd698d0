import { describe, expect, it } from 'vitest';
import type { ChatRequestInput } from '../../../../src/contract/record-types.ts';
import { validateRequest } from '../../../../src/pipeline/handling/validate-request.ts';
import { sampleRequest } from '../../../support/fakes/sample-request.ts';
import { pathsOf } from '../../../support/problems-of.ts';

describe('validateRequest', () => {
  it.each<[string, Partial<ChatRequestInput>]>([
    ['a plain question', {}],
    ['an id of 128 characters', { requestId: '~'.repeat(128) }],
    ['a limit of the cost', { maxCost: '0.123456789012', maxCostCurrency: 'EUR' }],
    ['a limit of nothing', { maxCost: '0' }],
    ['a limit of 26 digits', { maxCost: '9'.repeat(26) }],
    ['a tenant’s name of 1,024 characters', { tenantId: 'x'.repeat(1_024) }],
    ['a model’s name of 1,024 characters', { model: 'x'.repeat(1_024) }],
    ['labels of 65,536 characters', { labels: { a: 'x'.repeat(65_530), four: 'b' } }],
    ['a deadline, also one that has passed', { deadline: 1 }],
  ])('accepts %s', (_what, request) => {
    expect(pathsOf(request)).toEqual([]);
  });

  it.each<[string, string[], Partial<ChatRequestInput>]>([
    ['an empty id', ['requestId'], { requestId: '' }],
    ['an id of 129 characters', ['requestId'], { requestId: 'x'.repeat(129) }],
    ['an id with a space', ['requestId'], { requestId: 'a b' }],
    ['an id that is not ASCII', ['requestId'], { requestId: 'größe' }],
    ['stored history', ['history'], { history: 'STORED', conversationId: 'c' }],
    ['stored history without a conversation', ['history', 'conversationId'], { history: 'STORED' }],
    ['a history that a newer version knows', ['history'], { history: 'UNKNOWN' }],
    ['other models to fall back to', ['fallbackModels'], { fallbackModels: ['gpt-4'] }],
    ['a cost that is no number', ['maxCost'], { maxCost: 'much' }],
    ['a cost below nothing', ['maxCost'], { maxCost: '-1' }],
    ['a cost with 13 decimals', ['maxCost'], { maxCost: '0.1234567890123' }],
    ['a cost of 27 digits', ['maxCost'], { maxCost: '9'.repeat(27) }],
    ['a cost without a digit before the point', ['maxCost'], { maxCost: '.5' }],
    ['a cost in powers of ten', ['maxCost'], { maxCost: '1e3' }],
    ['a currency that is no code', ['maxCostCurrency'], { maxCost: '1', maxCostCurrency: 'Dollar' }],
    ['a tenant’s name that is too long', ['tenantId'], { tenantId: 'x'.repeat(1_025) }],
    ['a conversation’s name that is too long', ['conversationId'], { conversationId: 'x'.repeat(1_025) }],
    ['a user’s name that is too long', ['userId'], { userId: 'x'.repeat(1_025) }],
    ['a model’s name that is too long', ['model'], { model: 'x'.repeat(1_025) }],
    ['labels of 65,537 characters', ['labels'], { labels: { a: 'x'.repeat(65_531), four: 'b' } }],
  ])('refuses %s, naming %s', (_what, paths, request) => {
    expect(pathsOf(request)).toEqual(paths);
  });

  it('refuses an instant that a number cannot represent exactly', () => {
    const problems = validateRequest(sampleRequest({ deadline: 2 ** 53 }));
    expect(problems.map(({ path }) => path)).toEqual(['deadline']);
  });

  it('names every problem of every part at once, each with a kind and a remedy', () => {
    const problems = validateRequest(
      sampleRequest({
        requestId: '',
        messages: [],
        tools: [],
        toolChoice: { mode: 'auto', allowedMode: null, tools: [] },
        temperature: Number.NaN,
        modalities: ['audio'],
        extraJson: '[]',
      }),
    );
    expect(problems).toEqual([
      { path: 'requestId', code: 'invalid_value', message: expect.stringContaining('visible ASCII') },
      { path: 'messages', code: 'missing', message: expect.stringContaining('at least one message') },
      { path: 'toolChoice', code: 'not_applicable', message: expect.stringContaining('leave it out') },
      { path: 'temperature', code: 'out_of_range', message: expect.stringContaining('from 0 to 2') },
      { path: 'audio', code: 'missing', message: expect.stringContaining('a format and a voice') },
      { path: 'extraJson', code: 'invalid_value', message: expect.stringContaining('a JSON object') },
    ]);
  });
});
