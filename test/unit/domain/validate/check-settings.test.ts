import { describe, expect, it } from 'vitest';
import type { ChatRequestInput } from '../../../../src/contract/record-types.ts';
import { jsonShape } from '../../../../src/domain/validate/check-json.ts';
import { validateRequest } from '../../../../src/pipeline/handling/validate-request.ts';
import { sampleRequest } from '../../../support/fakes/sample-request.ts';
import { pathsOf } from '../../../support/problems-of.ts';

const schema = { type: 'json_schema', name: 'answer', schemaJson: '{"type":"object"}' };
const pairs = (count: number, key = 'k', value = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${key}${index}`, value]));

describe('settings', () => {
  it.each<[string, Partial<ChatRequestInput>]>([
    ['lower bounds', { temperature: 0, topP: 0, presencePenalty: -2, frequencyPenalty: -2, n: 1 }],
    ['upper bounds', { temperature: 2, topP: 1, presencePenalty: 2, frequencyPenalty: 2, n: 128 }],
    ['log probabilities', { logprobs: true, topLogprobs: 20 }],
    ['biases', { logitBias: { '0': -100, '50256': 100 } }],
    ['four stops', { stop: ['a', 'b', 'c', 'd'] }],
    ['the largest seed', { seed: 9_007_199_254_740_990 }],
    ['no limit', { maxOutputTokens: 0 }],
    ['a name of the limit', { maxTokensParameter: 'max_completion_tokens' }],
    ['a schema', { responseFormat: { ...schema, description: 'x', strict: true } }],
    ['a JSON object', { responseFormat: { type: 'json_object' } }],
    ['audio', { modalities: ['text', 'audio'], audio: { format: 'wav', voice: 'alloy' } }],
    ['a voice of one’s own', { modalities: ['audio'], audio: { format: 'wav', voiceId: 'voice_1' } }],
    ['a prediction', { prediction: [{ type: 'text', text: 'guess' }] }],
    ['moderation', { moderation: { model: 'omni-moderation-latest' } }],
    ['sixteen pairs', { providerMetadata: pairs(16, 'k'.repeat(62), 'v'.repeat(512)) }],
    ['what is newer', { extraJson: '{"brand_new":{"temperature":1}}' }],
  ])('may be %s', (_what, request) => {
    expect(pathsOf(request)).toEqual([]);
  });

  it.each<[string, string[], Partial<ChatRequestInput>]>([
    ['a temperature that is no number', ['temperature'], { temperature: Number.NaN }],
    ['a temperature above 2', ['temperature'], { temperature: 2.01 }],
    ['an infinite top-p', ['topP'], { topP: Number.POSITIVE_INFINITY }],
    ['a top-p below 0', ['topP'], { topP: -0.1 }],
    ['an infinite presence penalty', ['presencePenalty'], { presencePenalty: Number.NEGATIVE_INFINITY }],
    ['a frequency penalty that is no number', ['frequencyPenalty'], { frequencyPenalty: Number.NaN }],
    ['no choices', ['n'], { n: 0 }],
    ['129 choices', ['n'], { n: 129 }],
    ['21 log probabilities', ['topLogprobs'], { logprobs: true, topLogprobs: 21 }],
    ['log probabilities of nothing', ['topLogprobs'], { topLogprobs: 2 }],
    ['log probabilities against themselves', ['topLogprobs'], { logprobs: false, topLogprobs: 2 }],
    ['a bias of a word', ['logitBias'], { logitBias: { hello: 1 } }],
    ['a bias above 100', ['logitBias.7'], { logitBias: { '7': 101, '8': 1 } }],
    ['a bias that is no number', ['logitBias.7'], { logitBias: { '7': Number.NaN } }],
    [
      'too many biases',
      ['logitBias'],
      { logitBias: Object.fromEntries(Array.from({ length: 1_025 }, () => 1).entries()) },
    ],
    ['five stops', ['stop'], { stop: ['a', 'b', 'c', 'd', 'e'] }],
    ['a seed beyond what JSON carries', ['seed'], { seed: Number.MAX_SAFE_INTEGER }],
    ['fewer tokens than none', ['maxOutputTokens'], { maxOutputTokens: -1 }],
    ['another name of the limit', ['maxTokensParameter'], { maxTokensParameter: 'messages' }],
    ['an unknown format', ['responseFormat.type'], { responseFormat: { type: 'xml' } }],
    ['a nameless schema', ['responseFormat.name'], { responseFormat: { ...schema, name: null } }],
    ['a schema with a strange name', ['responseFormat.name'], { responseFormat: { ...schema, name: 'a b' } }],
    [
      'a format without a name',
      ['responseFormat.name'],
      { responseFormat: { ...schema, name: null, schemaJson: null } },
    ],
    ['a broken schema', ['responseFormat.schemaJson'], { responseFormat: { ...schema, schemaJson: '7' } }],
    [
      'a schema of text',
      ['responseFormat.name', 'responseFormat.schemaJson'],
      { responseFormat: { ...schema, type: 'text' } },
    ],
    ['audio without voice', ['audio'], { modalities: ['audio'] }],
    ['a voice without audio', ['modalities'], { audio: { format: 'wav', voice: 'alloy' } }],
    [
      'two voices',
      ['audio.voiceId'],
      { modalities: ['audio'], audio: { format: 'wav', voice: 'alloy', voiceId: 'v' } },
    ],
    [
      'no voice and no format',
      ['audio.format', 'audio.voice'],
      { modalities: ['audio'], audio: { format: '' } },
    ],
    [
      'a prediction of images',
      ['prediction[0].type'],
      { prediction: [{ type: 'image_url', url: 'data:,' }] },
    ],
    ['moderation without a model', ['moderation.model'], { moderation: { model: '' } }],
    ['seventeen pairs', ['providerMetadata'], { providerMetadata: pairs(17) }],
    ['a pair with a long key', ['providerMetadata'], { providerMetadata: { ['k'.repeat(65)]: 'v' } }],
    ['a pair with a long value', ['providerMetadata'], { providerMetadata: { k: 'v'.repeat(513) } }],
    [
      'extra parameters that are the request’s own',
      ['extraJson.temperature', 'extraJson.stream_options'],
      { extraJson: '{"temperature":1,"stream_options":{},"new":1}' },
    ],
    ['extra parameters that are not an object', ['extraJson'], { extraJson: '"x"' }],
    ['extra parameters that are null', ['extraJson'], { extraJson: 'null' }],
    ['extra parameters that are not JSON', ['extraJson'], { extraJson: '{my diary' }],
  ])('may not be %s: %s', (_what, paths, request) => {
    expect(pathsOf(request)).toEqual(paths);
  });

  it('may not be JSON above the size limit', () => {
    const extraJson = `{"a":"${'x'.repeat(262_144)}"}`;
    expect(validateRequest(sampleRequest({ extraJson }))).toMatchObject([
      { path: 'extraJson', code: 'too_large' },
    ]);
  });

  it('quote no text of the caller', () => {
    const problems = validateRequest(sampleRequest({ extraJson: '{my diary' }));
    expect(JSON.stringify(problems)).not.toContain('diary');
  });

  it('may not be a seed that a number cannot represent exactly', () => {
    expect(validateRequest(sampleRequest({ seed: 2 ** 60 }))).toMatchObject([{ path: 'seed' }]);
  });
});

describe('jsonShape', () => {
  it.each([
    ['7', 0],
    ['{}', 1],
    ['{"a":[{}],"b":[[]]}', 3],
    ['{"a[[":"{\\"{{"}', 1],
    ['"\\\\" [', 1],
  ])('of %s is %i', (text, depth) => {
    expect(jsonShape(text).depth).toBe(depth);
  });
});
