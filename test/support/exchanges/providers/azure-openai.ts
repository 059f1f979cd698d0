import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { wireOfModel } from '../wire-of.ts';
import { ask, delta, finish, message, tokens } from '../wire-parts.ts';

const safe = {
  hate: { filtered: false, severity: 'safe' },
  self_harm: { filtered: false, severity: 'safe' },
  sexual: { filtered: false, severity: 'safe' },
  violence: { filtered: false, severity: 'safe' },
};
const ofPrompt = {
  prompt_filter_results: [
    { prompt_index: 0, content_filter_results: { ...safe, jailbreak: { filtered: false, detected: false } } },
  ],
};
const { chunk, whole } = wireOfModel('gpt-4o-2024-08-06', {
  id: 'chatcmpl-AzA1',
  created: 1_741_570_283,
  system_fingerprint: 'fp_b705f0c291',
});
/** The first chunk has no id, no model and no choice. */
const filterChunk = { id: '', object: '', created: 0, model: '', choices: [], ...ofPrompt };
const filtered = (members: object, choice: object = {}) =>
  delta(members, { content_filter_results: safe, ...choice });

export const azureOpenai: ProviderExchanges = {
  id: 'azure-openai',
  name: 'Azure OpenAI',
  documentation: 'https://learn.microsoft.com/azure/ai-services/openai/reference',
  prices: {},
  exchanges: {
    'filter-results-streamed': {
      request: { model: 'my-deployment', messages: ask('Capital of France?'), stream: true },
      answer: {
        body: events(
          filterChunk,
          chunk([delta({ role: 'assistant', content: '', refusal: null }, { content_filter_results: {} })]),
          chunk([filtered({ content: 'Paris' })]),
          chunk([filtered({ content: '.' })]),
          chunk([finish('stop', {}, { content_filter_results: {} })]),
          chunk([], { usage: tokens(14, 2) }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Paris.',
        model: 'gpt-4o-2024-08-06',
        extra: { answer: ofPrompt, choice: { content_filter_results: safe } },
        usage: { inputTokens: 14, outputTokens: 2 },
        cost: '0.000055',
        pricedModel: 'gpt-4o',
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'filter-results-whole': {
      request: { model: 'gpt-4o', messages: ask('Capital of France?'), stream: false, max_tokens: 50 },
      answer: {
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: whole(
          message({ content: 'Paris.', refusal: null }, { content_filter_results: safe, logprobs: null }),
          tokens(14, 2),
          { ...ofPrompt },
        ),
      },
      expected: {
        text: 'Paris.',
        extra: { answer: ofPrompt, choice: { content_filter_results: safe } },
        usage: { inputTokens: 14, outputTokens: 2 },
        cost: '0.000055',
        sent: { max_tokens: 50 },
      },
    },
    'asynchronous-filter': {
      request: { model: 'gpt-4o', messages: ask('Capital of France?'), stream: true },
      answer: {
        body: events(
          filterChunk,
          chunk([delta({ role: 'assistant', content: 'Paris.' })]),
          chunk([finish('stop')]),
          {
            ...filterChunk,
            prompt_filter_results: undefined,
            choices: [
              {
                index: 0,
                finish_reason: null,
                content_filter_results: safe,
                content_filter_offsets: { check_offset: 44, start_offset: 44, end_offset: 50 },
              },
            ],
          },
          chunk([], { usage: tokens(14, 2) }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Paris.',
        extra: { choice: { content_filter_offsets: { end_offset: 50 } } },
        usage: { inputTokens: 14, outputTokens: 2 },
        cost: '0.000055',
      },
    },
    'answer-filtered': {
      request: { model: 'gpt-4o', messages: ask('A battle.'), stream: true },
      answer: {
        body: events(
          filterChunk,
          chunk([filtered({ role: 'assistant', content: 'The swords' })]),
          chunk([
            finish(
              'content_filter',
              {},
              {
                content_filter_results: { ...safe, violence: { filtered: true, severity: 'high' } },
              },
            ),
          ]),
          chunk([], { usage: tokens(10, 3) }),
          '[DONE]',
        ),
      },
      expected: {
        text: 'The swords',
        finishReason: 'content_filter',
        extra: { choice: { content_filter_results: { violence: { filtered: true } } } },
        usage: { inputTokens: 10, outputTokens: 3 },
        cost: '0.000055',
      },
    },
    'prompt-filtered': {
      request: { model: 'gpt-4o', messages: ask('Something bad.') },
      answer: {
        status: 400,
        body: JSON.stringify({
          error: {
            message: 'The response was filtered due to the prompt triggering the content management policy.',
            type: null,
            param: 'prompt',
            code: 'content_filter',
            status: 400,
            innererror: {
              code: 'ResponsibleAIPolicyViolation',
              content_filter_result: { ...safe, violence: { filtered: true, severity: 'medium' } },
            },
          },
        }),
      },
      expected: refused('content_filtered', 400, {
        param: 'prompt',
        providerCode: 'content_filter',
        says: 'content management policy',
      }),
    },
    'deployment-not-found': {
      request: { model: 'no-such-deployment', messages: ask('Hi.') },
      answer: {
        status: 404,
        body: JSON.stringify({
          error: {
            code: 'DeploymentNotFound',
            message: 'The API deployment for this resource does not exist.',
          },
        }),
      },
      expected: refused('model_not_found', 404, {
        providerCode: 'DeploymentNotFound',
        says: 'does not exist',
      }),
    },
    'numeric-code-of-a-limit': {
      request: { model: 'limited-deployment', messages: ask('Hi.') },
      answer: [
        {
          status: 429,
          headers: { 'retry-after': '1', 'retry-after-ms': '15', 'x-ratelimit-remaining-tokens': '-1' },
          body: '{"error":{"code":429,"message":"Requests have exceeded the token rate limit of your pricing tier."}}',
        },
        {
          body: events(
            filterChunk,
            chunk([filtered({ content: 'Hi.' })]),
            chunk([finish('stop')]),
            chunk([], { usage: tokens(8, 2) }),
            '[DONE]',
          ),
        },
      ],
      expected: { text: 'Hi.', usage: { inputTokens: 8, outputTokens: 2 }, cost: '0.00004', calls: 2 },
    },
    'stream-options-refused': {
      once: true,
      request: { model: 'old-deployment', messages: ask('Hi.'), stream: true },
      answer: [
        {
          status: 400,
          body: JSON.stringify({
            error: {
              message: 'Unrecognized request argument supplied: stream_options',
              type: 'invalid_request_error',
              param: null,
              code: null,
            },
          }),
        },
        {
          body: events(
            filterChunk,
            chunk([filtered({ role: 'assistant', content: 'Hi there.' })]),
            chunk([finish('stop')]),
            '[DONE]',
          ),
        },
      ],
      expected: {
        text: 'Hi there.',
        usage: { inputTokens: 9, outputTokens: 3, confidence: 'ESTIMATED' },
        cost: '0.0000525',
        calls: 2,
        sent: { stream: true },
        notSent: ['stream_options'],
      },
    },
  },
};
