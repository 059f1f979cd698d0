import { describe, expect, it } from 'vitest';
import { firstTokenTimeout } from '../../../../src/pipeline/calling/first-token-timeout.ts';
import { modelInfo } from '../../../support/fakes/fake-catalog.ts';
import { chatRequest } from '../../../support/fakes/handling.ts';

const policy = { firstTokenTimeoutMs: 10, slowFirstTokenTimeoutMs: 100 };

describe('the wait for the first piece', () => {
  it.each([
    ['gpt-4o', {}, null, 10],
    ['gpt-4o', { serviceTier: 'flex' }, null, 100],
    ['gpt-4o', { serviceTier: 'priority' }, null, 10],
    ['gpt-5', { reasoningEffort: 'medium' }, 'medium', 10],
    ['gpt-5', { reasoningEffort: 'high' }, 'medium', 100],
    ['gpt-5', { reasoningEffort: 'xhigh' }, 'medium', 100],
    ['gpt-5', { reasoningEffort: 'max' }, null, 100],
    ['thinker', {}, 'high', 100],
    ['thinker', { reasoningEffort: 'low' }, 'high', 10],
    ['o3-pro', {}, 'medium', 100],
    ['gpt-5.4-pro-2026-03-05', {}, 'medium', 100],
    ['o4-mini-deep-research', {}, null, 100],
    ['gpt-professional', {}, null, 10],
  ])('of %s with %j and effort %s of its own is %i ms', (id, request, defaultReasoningEffort, expected) => {
    expect(firstTokenTimeout(modelInfo(id, { defaultReasoningEffort }), chatRequest(request), policy)).toBe(
      expected,
    );
  });

  it('is never shorter for what is slow', () => {
    const flex = chatRequest({ serviceTier: 'flex' });
    expect(
      firstTokenTimeout(modelInfo('m'), flex, { firstTokenTimeoutMs: 10, slowFirstTokenTimeoutMs: 5 }),
    ).toBe(10);
    expect(firstTokenTimeout(modelInfo('m'), flex, { firstTokenTimeoutMs: 10 })).toBe(10);
  });
});
