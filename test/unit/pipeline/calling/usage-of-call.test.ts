import { describe, expect, it } from 'vitest';
import type { Usage } from '../../../../src/contract/record-types.ts';
import { plainUsage, sumUsage } from '../../../../src/domain/cost/usage.ts';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import { planCall } from '../../../../src/pipeline/admission/plan-call.ts';
import { type EndedCall, usageOfCall } from '../../../../src/pipeline/calling/usage-of-call.ts';
import { FakeCatalog, modelInfo } from '../../../support/fakes/fake-catalog.ts';
import { FakeProvider } from '../../../support/fakes/fake-provider.ts';
import { FakeTokenCounter } from '../../../support/fakes/fake-token-counter.ts';
import { chatRequest, specified } from '../../../support/fakes/handling.ts';

const tokens = new FakeTokenCounter();
const catalog = new FakeCatalog();
catalog.models.set('openai/gpt-4o', modelInfo('gpt-4o'));
const defaults = {
  provider: 'openai',
  model: 'gpt-4o',
  temperature: specified(1),
  maxOutputTokens: specified(100),
};
/** 13 tokens of input by its estimate. */
const plan = planCall(
  chatRequest({ model: null }),
  new Map([['openai', new FakeProvider()]]),
  catalog,
  defaults,
  0,
  tokens,
);

/** 3 tokens of text, and of a call 2 + 2. */
const choice = {
  index: 0,
  content: 'Hello world',
  refusal: null,
  toolCalls: [
    {
      id: 'c',
      type: 'function',
      name: 'look_up',
      arguments: '{"a":1}',
      valid: null,
      problems: [],
      extraJson: null,
    },
  ],
  audio: null,
  annotations: [],
  finishReason: null,
  logprobsJson: null,
  problems: [],
  extraJson: null,
};
const complete: EndedCall = {
  reported: null,
  wentOn: false,
  thrown: null,
  sent: true,
  begun: true,
  choices: [choice],
};
const cut = new ChatFailure('stream_interrupted', 'cut', true);
const used = (members: Partial<Usage> = {}) => ({ ...plainUsage(100, 50, 'PROVIDER'), ...members });
const usageOf = (members: Partial<EndedCall>) => usageOfCall({ ...complete, ...members }, plan, tokens);

describe('usageOfCall', () => {
  it('is the provider’s usage when it is complete', () => {
    expect(usageOf({ reported: used({ reasoningTokens: 20 }) })).toEqual(used({ reasoningTokens: 20 }));
  });

  it('keeps a reported zero', () => {
    expect(usageOf({ reported: plainUsage(0, 0, 'PROVIDER') })).toEqual(plainUsage(0, 0, 'PROVIDER'));
  });

  it('is null for a call that used nothing', () => {
    const refused = new ChatFailure('rate_limited', 'no', true, { httpStatus: 429 });
    expect(usageOf({ thrown: refused, begun: false, choices: [] })).toBeNull();
    for (const thrown of [new ChatFailure('timeout', 'no', true), new Error('the service stops')])
      expect(usageOf({ thrown, sent: false, begun: false, choices: [] })).toBeNull();
  });

  it('is estimated, without details, when a complete answer reported none', () => {
    expect(usageOf({})).toEqual(plainUsage(13, 7, 'ESTIMATED'));
    expect(usageOf({})?.reasoningTokens).toBeNull();
  });

  it('is estimated, with no output, when a call was lost before its answer', () => {
    const lost = new ChatFailure('provider_unavailable', 'lost', true);
    expect(usageOf({ thrown: lost, begun: false, choices: [] })).toEqual(plainUsage(13, 0, 'ESTIMATED'));
  });

  it.each([
    ['broke', cut],
    ['was ended by us', new DOMException('the service stops', 'AbortError')],
  ])('is partial when an answer %s', (_how, thrown) => {
    expect(usageOf({ thrown })).toEqual(plainUsage(13, 7, 'PARTIAL'));
    expect(usageOf({ thrown, choices: [] })).toEqual(plainUsage(13, 0, 'PARTIAL'));
  });

  it('is partial when usage was reported before the answer broke, but never less than what arrived', () => {
    expect(usageOf({ thrown: cut, reported: used() })).toEqual(used({ confidence: 'PARTIAL' }));
    const tooLittle = used({ outputTokens: 1, totalTokens: 101 });
    expect(usageOf({ thrown: cut, reported: tooLittle, wentOn: true })).toEqual(
      used({ outputTokens: 7, totalTokens: 107, confidence: 'PARTIAL' }),
    );
  });

  it('is as reported when nothing of the answer came behind the report', () => {
    const little = used({ outputTokens: 1, totalTokens: 101 });
    expect(usageOf({ thrown: cut, reported: little })).toEqual({ ...little, confidence: 'PARTIAL' });
  });

  it('derives a missing side from the total', () => {
    expect(usageOf({ reported: { ...used(), inputTokens: null } })).toEqual(used());
    expect(usageOf({ reported: { ...used(), outputTokens: null } })).toEqual(used());
  });

  it.each([
    ['input', { inputTokens: null, totalTokens: null }, [13, 50, 63]],
    ['output', { outputTokens: null, totalTokens: null }, [100, 7, 107]],
    ['output, and the total is below the input', { outputTokens: null, totalTokens: 9 }, [100, 7, 107]],
    ['total alone', { totalTokens: null }, [100, 50, 150]],
  ])('estimates missing counts: %s', (_what, members, [inputTokens, outputTokens, totalTokens]) => {
    const usage = usageOf({ reported: { ...used(), ...members } });
    const confidence =
      members.totalTokens === null && !('inputTokens' in members || 'outputTokens' in members);
    expect(usage).toMatchObject({ inputTokens, outputTokens, totalTokens });
    expect(usage?.confidence).toBe(confidence ? 'PROVIDER' : 'PARTIAL');
  });

  it('counts everything that arrived, with the model’s encoding', () => {
    const before = tokens.asked.length;
    usageOf({ thrown: cut });
    expect(tokens.asked.slice(before)).toEqual([{ encoding: 'o200k_base', exact: true }]);
  });

  it('is null without a call', () => {
    expect(sumUsage([])).toEqual(plainUsage(0, 0, 'NONE'));
  });

  it('counts no tokens when the provider reported everything', () => {
    const before = tokens.asked.length;
    usageOf({ reported: used() });
    expect(tokens.asked.slice(before)).toEqual([]);
  });
});
