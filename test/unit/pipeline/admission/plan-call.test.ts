import { describe, expect, it } from 'vitest';
import type { ChatRequestInput, ContentPartInput } from '../../../../src/contract/record-types.ts';
import type { Price } from '../../../../src/domain/cost/price.ts';
import { type CallDefaults, planCall } from '../../../../src/pipeline/admission/plan-call.ts';
import type { ModelInfo } from '../../../../src/ports/catalog.ts';
import { FakeCatalog, modelInfo, priceOf } from '../../../support/fakes/fake-catalog.ts';
import { FakeProvider } from '../../../support/fakes/fake-provider.ts';
import { FakeTokenCounter } from '../../../support/fakes/fake-token-counter.ts';
import { chatRequest, specified } from '../../../support/fakes/handling.ts';

const provider = new FakeProvider();
const tokens = new FakeTokenCounter();
const NOW = Date.UTC(2026, 0, 2);

function planOf(
  request: Partial<ChatRequestInput> = {},
  model: Partial<ModelInfo> = {},
  price: Partial<Price> = {},
  members: Partial<CallDefaults> = {},
) {
  const catalog = new FakeCatalog();
  catalog.models.set('openai/gpt-4', modelInfo('gpt-4', model));
  catalog.prices.push(priceOf('gpt-4', { effectiveFrom: NOW, ...price }));
  const defaults = {
    provider: 'openai',
    model: 'gpt-4',
    temperature: specified(0.7),
    maxOutputTokens: specified(4_000),
    ...members,
  };
  return planCall(chatRequest(request), new Map([['openai', provider]]), catalog, defaults, NOW, tokens);
}

/** 4,001 tokens of prompt by the estimate: 3,994 of text, 4 around the message and 3 for the reply. */
const longPrompt = { messages: [{ role: 'user', content: 'x'.repeat(4 * 3_994) }] };

describe('planCall', () => {
  it('fills in what the caller left open', () => {
    expect(planOf({ model: null })).toMatchObject({
      provider,
      requestedModel: 'gpt-4',
      model: { id: 'gpt-4' },
      temperature: 0.7,
      maxOutputTokens: 4_000,
      estimatedInputTokens: 13,
      estimatedCost: { amount: '0.24039', currency: 'USD' },
      warnings: [],
    });
  });

  it('changes nothing that the caller decided', () => {
    expect(planOf({ provider: 'openai', temperature: 0, maxOutputTokens: 100_000 })).toMatchObject({
      temperature: 0,
      maxOutputTokens: 100_000,
    });
  });

  it('calls the model that an alias stands for, and reports the alias', () => {
    expect(planOf({ model: 'gpt-4' }, { id: 'gpt-4-0613' })).toMatchObject({
      requestedModel: 'gpt-4',
      model: { id: 'gpt-4-0613' },
    });
  });

  it('warns of a deprecated model, with the date when it is known', () => {
    expect(planOf({}, { lifecycle: 'deprecated', shutdownAt: Date.UTC(2026, 9, 23) }).warnings).toEqual([
      {
        path: 'model',
        code: 'deprecated_model',
        message: expect.stringContaining('gpt-4 is deprecated: the provider shuts it down on 2026-10-23'),
      },
    ]);
    expect(planOf({}, { lifecycle: 'deprecated' }).warnings).toMatchObject([
      { message: expect.stringContaining('no longer lists it') },
    ]);
  });

  it('takes a model for removed from its shutdown date on, and for deprecated before', () => {
    expect(planOf({}, { shutdownAt: NOW + 1 }).warnings).toMatchObject([{ code: 'deprecated_model' }]);
    expect(() => planOf({}, { shutdownAt: NOW })).toThrow(
      expect.objectContaining({ code: 'model_not_found', retryable: false, param: 'model' }),
    );
  });

  it('knows the end of a model from the shipped file, also where the catalog does not have it', () => {
    const at = (now: number) =>
      planCall(
        chatRequest({ model: 'o1-2024-12-17' }),
        new Map([['openai', provider]]),
        new FakeCatalog(),
        { provider: 'openai', model: 'gpt-4', temperature: null, maxOutputTokens: null },
        now,
        tokens,
      );
    const end = Date.UTC(2026, 9, 23);
    expect(at(end - 1).warnings).toMatchObject([{ code: 'deprecated_model' }]);
    expect(() => at(end)).toThrow(expect.objectContaining({ code: 'model_not_found' }));
  });

  it('asks whether a name that is almost that of a model is meant', () => {
    const warningsOf = (name: string) => {
      const catalog = new FakeCatalog();
      for (const id of ['gpt-4o-mini', 'o3']) catalog.models.set(`openai/${id}`, modelInfo(id));
      const request = chatRequest({ model: name });
      const defaults = { provider: 'openai', model: 'gpt-4', temperature: null, maxOutputTokens: null };
      return planCall(request, new Map([['openai', provider]]), catalog, defaults, NOW, tokens).warnings;
    };
    expect(warningsOf('gpt-4o-mni')).toEqual([
      {
        path: 'model',
        code: 'unknown_model',
        message:
          'model gpt-4o-mni is not in the catalog and was called under this name, without a known price; did you mean gpt-4o-mini?',
      },
    ]);
    expect(warningsOf('gpt4o-mini')).toHaveLength(1);
    expect(warningsOf('gpt-4o-mini')).toEqual([]);
    expect(warningsOf('llama3.2:3b')).toEqual([]);
    expect(warningsOf('o4')).toEqual([]);
    expect(warningsOf('x'.repeat(1_000))).toEqual([]);
  });

  it('refuses a removed model, naming those that are nearest', () => {
    const catalog = new FakeCatalog();
    catalog.models.set('openai/gpt-4-0314', modelInfo('gpt-4-0314', { lifecycle: 'removed' }));
    const defaults = {
      provider: 'openai',
      model: 'gpt-4-0314',
      temperature: specified(0.7),
      maxOutputTokens: specified(4_000),
    };
    const plan = () =>
      planCall(chatRequest({ model: null }), new Map([['openai', provider]]), catalog, defaults, NOW, tokens);
    expect(plan).toThrow(
      expect.objectContaining({ code: 'model_not_found', retryable: false, param: 'model' }),
    );
    expect(plan).toThrow(/"gpt-4-0314" was removed.*choose another model/);
    catalog.models.set('openai/gpt-4-0613', modelInfo('gpt-4-0613'));
    expect(plan).toThrow(/use one such as gpt-4-0613/);
  });

  it('refuses a provider that is not configured, naming those that are', () => {
    expect(() => planOf({ provider: 'acme-ai' })).toThrow(
      /"acme-ai" is not configured here; use one of openai/,
    );
  });

  it('leaves a default out for a model that refuses it, and refuses the caller’s value', () => {
    const refusing = { refusedParameters: ['temperature', 'max_tokens'] };
    expect(planOf({}, refusing)).toMatchObject({ temperature: null, maxOutputTokens: null });
    expect(() => planOf({ temperature: 0.5, maxOutputTokens: 5 }, refusing)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        param: 'temperature',
        message: expect.stringMatching(/^temperature: model gpt-4 .*; maxOutputTokens: model gpt-4 /),
      }),
    );
  });

  it('sends the default temperature without reasoning to a model that takes it only then', () => {
    const newer = { refusedWhileReasoning: ['temperature'] };
    expect(planOf({}, newer).temperature).toBeNull();
    expect(planOf({ reasoningEffort: 'low' }, newer).temperature).toBeNull();
    expect(planOf({ reasoningEffort: 'none' }, newer).temperature).toBe(0.7);
    expect(planOf({ reasoningEffort: 'none', temperature: 0 }, newer).temperature).toBe(0);
  });

  it.each([
    ['the model’s own limit', {}, { maxOutputTokens: 1_024 }, 1_024],
    ['what the prompt leaves of the context', longPrompt, { contextWindow: 5_001 }, 1_000],
    ['at least one token', longPrompt, { contextWindow: 1_000 }, 1],
    ['the default for an unknown model', {}, { contextWindow: null }, 4_000],
  ])('clamps the default output limit to %s', (_to, request, model, expected) => {
    expect(planOf(request, model).maxOutputTokens).toBe(expected);
  });

  it('treats a limit of 0 as no limit, and then has no estimate', () => {
    expect(planOf({ maxOutputTokens: 0 })).toMatchObject({ maxOutputTokens: null, estimatedCost: null });
  });

  it('passes a model on that is not in the catalog, without an estimate', () => {
    expect(planOf({ model: 'gpt-next' })).toMatchObject({
      requestedModel: 'gpt-next',
      model: { id: 'gpt-next', contextWindow: null, maxTokensParameter: null, lifecycle: 'active' },
      temperature: null,
      maxOutputTokens: null,
      estimatedCost: null,
    });
  });

  it('has no estimate before its price is in force', () => {
    const catalog = new FakeCatalog();
    catalog.prices.push(priceOf('gpt-4', { effectiveFrom: NOW + 1 }));
    const defaults = {
      provider: 'openai',
      model: 'gpt-4',
      temperature: specified(0.7),
      maxOutputTokens: specified(4_000),
    };
    const plan = planCall(chatRequest(), new Map([['openai', provider]]), catalog, defaults, NOW, tokens);
    expect(plan.estimatedCost).toBeNull();
  });

  it('estimates the requested number of answers at the price of the requested tier', () => {
    const tier = { components: { input: '60', output: '120' } };
    const priced = (request: Partial<ChatRequestInput>) =>
      planOf({ maxOutputTokens: 1_000, ...request }, {}, { serviceTiers: { priority: tier } }).estimatedCost;
    expect(priced({})?.amount).toBe('0.06039');
    expect(priced({ n: 3 })?.amount).toBe('0.18039');
    expect(priced({ serviceTier: 'priority' })?.amount).toBe('0.12078');
    expect(priced({ serviceTier: 'flex' })).toBeNull();
  });

  it('has the retries that are allowed, at full length only where broken answers are asked for again', () => {
    const planned = (request: Partial<ChatRequestInput>, restartOnBreak = false) =>
      planOf(
        { maxOutputTokens: 1_000, ...request },
        {},
        {},
        { retries: { retryAttempts: 2, restartOnBreak } },
      );
    expect(planned({ stream: true })).toMatchObject({
      callCost: { amount: '0.06039' },
      // Twice the prompt alone beside it.
      estimatedCost: { amount: '0.06117', currency: 'USD' },
    });
    for (const restarted of [
      planned({ stream: true }, true),
      planned({ stream: true, restartOnBreak: true }),
      planned({ stream: false }),
    ])
      expect(restarted.estimatedCost?.amount).toBe('0.18117');
    expect(planned({ stream: true, restartOnBreak: false }, true).estimatedCost?.amount).toBe('0.06117');
    expect(() => planned({ stream: false, maxCost: '0.1' })).toThrow('0.18117 USD');
  });
});

describe('defaults', () => {
  const chosen = (value: number) => ({ value, isConfigured: true });
  const own = { temperature: chosen(0.3), maxOutputTokens: chosen(900) };
  const reasoning = { reasons: true, defaultReasoningEffort: 'medium' };

  it('are left out if the operator disables them, and never replace the caller’s values', () => {
    const none = { temperature: null, maxOutputTokens: null };
    expect(planOf({}, {}, {}, none)).toMatchObject(none);
    const asked = { temperature: 0.1, maxOutputTokens: 7 };
    expect(planOf(asked, {}, {}, none)).toMatchObject(asked);
    expect(planOf(asked, {}, {}, own)).toMatchObject(asked);
  });

  it('of the operator apply to unknown models, those of the specification do not', () => {
    const unknown = { model: 'llama-9' };
    expect(planOf(unknown)).toMatchObject({ temperature: null, maxOutputTokens: null });
    expect(planOf(unknown, {}, {}, own)).toMatchObject({ temperature: 0.3, maxOutputTokens: 900 });
  });

  it('of the operator are left out for a model that is known to refuse them', () => {
    const refusing = { refusedParameters: ['temperature', 'max_tokens'] };
    expect(planOf({}, refusing, {}, own)).toMatchObject({ temperature: null, maxOutputTokens: null });
  });

  it('of the specification never cut reasoning, those of the operator may', () => {
    expect(planOf({}, reasoning).maxOutputTokens).toBeNull();
    expect(planOf({ reasoningEffort: 'low' }, reasoning).maxOutputTokens).toBeNull();
    expect(planOf({ reasoningEffort: 'none' }, reasoning).maxOutputTokens).toBe(4_000);
    expect(planOf({}, { ...reasoning, defaultReasoningEffort: 'none' }).maxOutputTokens).toBe(4_000);
    expect(planOf({}, { ...reasoning, defaultReasoningEffort: null }).maxOutputTokens).toBeNull();
    expect(planOf({}, reasoning, {}, own).maxOutputTokens).toBe(900);
  });

  it('are clamped by the smallest size of the prompt: images by URL leave room', () => {
    const parts = ['a', 'b', 'c'].map((name) => ({
      type: 'image_url',
      url: `https://example.com/${name}.png`,
    }));
    const request = { messages: [{ role: 'user', parts }], model: 'gpt-4' };
    const mini = { id: 'gpt-4o-mini', contextWindow: 128_000, maxOutputTokens: 16_384 };
    expect(planOf(request, mini)).toMatchObject({ maxOutputTokens: 4_000, input: { total: 144_514 } });
  });
});

describe('a prompt that does not fit into the context', () => {
  const refusing = { refuseOverflow: true };
  const model = { contextWindow: 3_000 };

  it('is refused where the operator wants it, by the lowest estimate, counted to the end', () => {
    const before = tokens.asked.length;
    expect(() => planOf(longPrompt, model, {}, refusing)).toThrow(
      expect.objectContaining({
        code: 'context_length_exceeded',
        retryable: false,
        param: 'messages',
        message: expect.stringMatching(/at least 3920 tokens, more than the 3000 of model "gpt-4"/),
      }),
    );
    expect(tokens.asked.slice(before).map(({ exact }) => exact)).toEqual([false, true]);
  });

  it('is sent otherwise: the provider decides', () => {
    expect(planOf(longPrompt, model)).toMatchObject({ estimatedInputTokens: 4_001 });
  });

  it.each([
    ['it is close', longPrompt, { contextWindow: 3_990 }],
    ['the context is not known', longPrompt, { contextWindow: null }],
    ['the encoding is not known', longPrompt, { id: 'llama-9', contextWindow: 3_000 }],
    [
      'images may be small',
      { messages: [{ role: 'user', parts: [{ type: 'image_url', url: 'https://example.com/a.png' }] }] },
      { contextWindow: 1_000 },
    ],
  ])('is sent where %s', (_why, request, members) => {
    expect(() => planOf(request, members, {}, refusing)).not.toThrow();
  });
});

describe('a model that is not in the catalog', () => {
  it.each([
    ['gpt-5.9-pro', 'max_completion_tokens', null, null],
    ['gpt-5.4-mini-2029-01-01', 'max_completion_tokens', 0.7, 4_000],
    ['gpt-4.1-next', 'max_tokens', 0.7, 4_000],
    ['ft:gpt-4o-mini-2024-07-18:acme::abc', 'max_tokens', 0.7, 4_000],
    ['mistral-large-latest', null, null, null],
  ])('%s has the facts of its family', (model, maxTokensParameter, temperature, maxOutputTokens) => {
    expect(planOf({ model })).toMatchObject({
      model: { id: model, maxTokensParameter },
      temperature,
      maxOutputTokens,
    });
  });

  it('refuses what its known family refuses, and nothing without a known family', () => {
    const request = { temperature: 0.5, logitBias: { '1': 1 }, n: 2, stop: ['x'], topP: 0.5 };
    expect(() => planOf({ ...request, model: 'o3-next' })).toThrow(
      /model o3-next does not accept temperature/,
    );
    expect(planOf({ ...request, model: 'o9000' })).toMatchObject({ temperature: 0.5 });
  });
});

describe('the estimate', () => {
  const image = { type: 'image_url', url: 'https://example.com/a.png' };
  const withPart = (part: ContentPartInput) => ({
    messages: [{ role: 'user', parts: [part] }],
    maxOutputTokens: 1_000,
  });

  it('counts with the model’s encoding, to the end only when the number matters', () => {
    const before = tokens.asked.length;
    planOf();
    planOf({ maxCost: '9' });
    planOf({ model: 'gpt-5' });
    expect(tokens.asked.slice(before)).toEqual([
      { encoding: 'cl100k_base', exact: false },
      { encoding: 'cl100k_base', exact: true },
      { encoding: 'o200k_base', exact: false },
    ]);
  });

  it('assumes the largest size for an image that only the provider fetches', () => {
    expect(planOf(withPart(image)).estimatedInputTokens).toBe(7 + 85 + 8 * 170);
  });

  it('assumes the model’s full context for content that only the provider can count', () => {
    const file = withPart({ type: 'file', fileId: 'file-1' });
    expect(planOf(file)).toMatchObject({ estimatedInputTokens: 7, estimatedCost: { amount: '0.30576' } });
    expect(planOf(file, { contextWindow: null }).estimatedCost).toBeNull();
  });

  it('uses the model’s own limit when the request has none', () => {
    const { maxOutputTokens, estimatedCost } = planOf({ maxOutputTokens: 0 }, { maxOutputTokens: 2_000 });
    expect(maxOutputTokens).toBeNull();
    expect(estimatedCost?.amount).toBe('0.12039');
  });

  it('prices audio and spoken answers at their own rates', () => {
    const audio = { type: 'input_audio', data: Buffer.alloc(10_000), format: 'mp3' };
    const components = { input: '30', output: '60', inputAudio: '100', outputAudio: '200' };
    expect(planOf(withPart(audio), {}, { components }).estimatedCost?.amount).toBe('0.07021');
    const spoken = { modalities: ['text', 'audio'], audio: { format: 'wav', voice: 'alloy' } };
    expect(planOf({ ...spoken, maxOutputTokens: 1_000 }, {}, { components }).estimatedCost?.amount).toBe(
      '0.20039',
    );
    expect(planOf(withPart(audio)).estimatedCost).toBeNull();
  });
});

describe('a cost limit', () => {
  const request = { maxOutputTokens: 1_000 };

  it('allows a call that does not exceed it, to the last decimal', () => {
    expect(planOf({ ...request, maxCost: '0.06039' }).estimatedCost?.amount).toBe('0.06039');
    expect(planOf({ ...request, maxCost: '0.1', maxCostCurrency: 'USD' }).estimatedCost).not.toBeNull();
  });

  it.each([
    ['budget_exceeded', 'maxCost', '0.06039 USD', { maxCost: '0.060389999999' }],
    ['budget_exceeded', 'maxCost', '0.12039 USD', { maxCost: '0.1', n: 2 }],
    ['budget_exceeded', 'maxCost', 'the highest cost is unknown', { maxCost: '9', model: 'gpt-next' }],
    ['budget_exceeded', 'maxCost', 'the highest cost is unknown', { maxCost: '9', maxOutputTokens: 0 }],
    ['invalid_request', 'maxCostCurrency', 'give maxCost in USD', { maxCost: '9', maxCostCurrency: 'EUR' }],
  ])('ends with %s, naming %s and saying %s', (code, param, message, members) => {
    expect(() => planOf({ ...request, ...members })).toThrow(
      expect.objectContaining({ code, param, retryable: false, message: expect.stringContaining(message) }),
    );
  });
});
