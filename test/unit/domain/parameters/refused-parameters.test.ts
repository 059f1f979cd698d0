import { describe, expect, it } from 'vitest';
import { refusedParameters, takesParameter } from '../../../../src/domain/parameters/refused-parameters.ts';
import { modelInfo } from '../../../support/fakes/fake-catalog.ts';
import { chatRequest } from '../../../support/fakes/handling.ts';

const reasoning = modelInfo('o3', { refusedParameters: ['temperature', 'stop', 'logit_bias', 'brand_new'] });
const newer = modelInfo('gpt-5.1', {
  refusedParameters: ['presence_penalty'],
  refusedWhileReasoning: ['temperature', 'top_p', 'logprobs'],
});

describe('refusedParameters', () => {
  it('names the caller’s parameters, in the order of the model’s list, with a remedy', () => {
    const request = chatRequest({ temperature: 0.5, stop: ['x'], logitBias: { '1': 1 } });
    expect(refusedParameters(request, reasoning)).toEqual([
      {
        path: 'temperature',
        code: 'refused_parameter',
        message: 'model o3 does not accept temperature; leave it out, or choose another model',
      },
      { path: 'stop', code: 'refused_parameter', message: expect.stringContaining('does not accept stop') },
      { path: 'logitBias', code: 'refused_parameter', message: expect.stringContaining('logit_bias') },
    ]);
  });

  it('finds nothing when the caller set nothing, or the only allowed value', () => {
    expect(refusedParameters(chatRequest(), reasoning)).toEqual([]);
    expect(refusedParameters(chatRequest({ temperature: 1 }), reasoning)).toEqual([]);
    expect(refusedParameters(chatRequest({ presencePenalty: 0, topP: 1 }), newer)).toEqual([]);
  });

  it('accepts some parameters only without reasoning', () => {
    const asked = { temperature: 0.2, presencePenalty: 1 };
    expect(refusedParameters(chatRequest(asked), newer).map(({ path }) => path)).toEqual([
      'presencePenalty',
      'temperature',
    ]);
    expect(refusedParameters(chatRequest({ temperature: 0.2, reasoningEffort: 'low' }), newer)).toMatchObject(
      [{ path: 'temperature', message: expect.stringContaining('set reasoningEffort to none') }],
    );
    const without = chatRequest({ temperature: 0.2, logprobs: true, reasoningEffort: 'none' });
    expect(refusedParameters(without, newer)).toEqual([]);
  });

  it('checks only the name that a parameter is sent under', () => {
    const limited = chatRequest({ maxOutputTokens: 5 });
    const model = (maxTokensParameter: 'max_tokens' | 'max_completion_tokens') =>
      modelInfo('m', { maxTokensParameter, refusedParameters: ['max_tokens', 'functions', 'tools'] });
    expect(refusedParameters(limited, model('max_completion_tokens'))).toEqual([]);
    expect(refusedParameters(limited, model('max_tokens'))).toMatchObject([{ path: 'maxOutputTokens' }]);
    const tools = { tools: [{ name: 'f' }] };
    const older = chatRequest({ ...tools, legacyFunctions: true });
    expect(refusedParameters(older, model('max_tokens'))[0]?.message).toContain('functions');
    expect(refusedParameters(chatRequest(tools), model('max_tokens'))).toMatchObject([
      { path: 'tools', message: expect.stringContaining('accept tools') },
    ]);
  });
});

describe('the model’s own reasoning effort', () => {
  const quiet = { ...newer, defaultReasoningEffort: 'none' };
  const thinking = { ...newer, defaultReasoningEffort: 'medium' };
  const asked = { temperature: 0.2, topP: 0.5, logprobs: true };

  it('applies when the request names none', () => {
    expect(refusedParameters(chatRequest(asked), quiet)).toEqual([]);
    expect(refusedParameters(chatRequest(asked), thinking).map(({ path }) => path)).toEqual([
      'temperature',
      'topP',
      'logprobs',
    ]);
  });

  it('is overridden by the request’s', () => {
    expect(refusedParameters(chatRequest({ ...asked, reasoningEffort: 'low' }), quiet)).toHaveLength(3);
    expect(refusedParameters(chatRequest({ ...asked, reasoningEffort: 'none' }), thinking)).toEqual([]);
  });
});

describe('takesParameter', () => {
  it.each([
    ['stop', null, true],
    ['presence_penalty', 'none', false],
    ['temperature', null, false],
    ['temperature', 'high', false],
    ['temperature', 'none', true],
  ])('%s with effort %s: %s', (parameter, effort, expected) => {
    expect(takesParameter(newer, parameter, effort)).toBe(expected);
  });
});
