import { events } from '../exchange-world.ts';
import { refused } from '../refused.ts';
import type { ProviderExchanges } from '../replay-exchange.ts';
import { ask, tokens } from '../wire-parts.ts';

const citations = ['https://example.com/stars', 'https://example.com/galaxy'];
const searchResults = [
  { title: 'Stars', url: 'https://example.com/stars', date: '2025-03-01', snippet: 'Many.', source: 'web' },
  { title: 'Galaxy', url: 'https://example.com/galaxy', date: null, snippet: '', source: 'web' },
];
const sources = { citations, search_results: searchResults };
const costs = {
  input_tokens_cost: 0.000014,
  output_tokens_cost: 0.000004,
  request_cost: 0.005,
  total_cost: 0.005018,
};
const head = { id: 'c3088a84-c467-4cb0-88eb-b16bb9e814f8', created: 1_741_570_283 };
/** Each chunk repeats all that came so far beside what is new. */
const chunk = (
  object: string,
  model: string,
  soFar: string,
  added: string,
  more: object,
  finish?: string,
) => ({
  ...head,
  model,
  object,
  choices: [
    {
      index: 0,
      finish_reason: finish ?? null,
      message: { role: 'assistant', content: soFar },
      delta: { role: 'assistant', content: added },
    },
  ],
  ...more,
});

export const perplexity: ProviderExchanges = {
  id: 'perplexity',
  name: 'Perplexity',
  documentation: 'https://docs.perplexity.ai/api-reference/chat-completions-post',
  prices: {
    sonar: { input: '1', output: '1' },
    'sonar-reasoning-pro': { input: '2', output: '8' },
    'sonar-deep-research': { input: '2', output: '8' },
  },
  exchanges: {
    'message-beside-delta': {
      request: { model: 'sonar', messages: ask('How many stars?'), stream: true },
      answer: {
        body: events(
          chunk('chat.completion', 'sonar', 'Billions', 'Billions', { ...sources, usage: tokens(14, 1) }),
          chunk('chat.completion', 'sonar', 'Billions[1].', '[1].', { ...sources, usage: tokens(14, 4) }),
          chunk('chat.completion', 'sonar', 'Billions[1].', '', { ...sources, usage: tokens(14, 4) }, 'stop'),
        ),
      },
      expected: {
        text: 'Billions[1].',
        extra: { answer: { citations, search_results: searchResults } },
        usage: { inputTokens: 14, outputTokens: 4 },
        cost: '0.000018',
        notSent: ['temperature', 'max_tokens', 'max_completion_tokens'],
      },
    },
    'search-results-whole': {
      request: { model: 'sonar', messages: ask('How many stars?'), stream: false, search_mode: 'web' },
      answer: {
        body: JSON.stringify({
          ...head,
          model: 'sonar',
          object: 'chat.completion',
          ...sources,
          choices: [
            { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Billions[1].' } },
          ],
          usage: tokens(14, 4, { search_context_size: 'low', cost: costs }),
        }),
      },
      expected: {
        text: 'Billions[1].',
        extra: { answer: { citations, search_results: searchResults } },
        usage: { inputTokens: 14, outputTokens: 4, raw: { search_context_size: 'low', cost: costs } },
        cost: '0.000018',
        reportedCost: '0.005018',
        warnings: ['cost_differs'],
        sent: { search_mode: 'web' },
      },
    },
    'concise-mode-streamed': {
      request: { model: 'sonar-reasoning-pro', messages: ask('Why?'), stream: true, stream_mode: 'concise' },
      answer: {
        body: events(
          {
            ...head,
            model: 'sonar-reasoning-pro',
            object: 'chat.reasoning',
            choices: [
              {
                index: 0,
                finish_reason: null,
                delta: {
                  role: 'assistant',
                  content: '',
                  reasoning_steps: [{ thought: 'Look.', type: 'web_search' }],
                },
              },
            ],
          },
          {
            ...head,
            model: 'sonar-reasoning-pro',
            object: 'chat.reasoning.done',
            ...sources,
            choices: [{ index: 0, finish_reason: null, delta: { role: 'assistant', content: '' } }],
          },
          {
            ...head,
            model: 'sonar-reasoning-pro',
            object: 'chat.completion.chunk',
            choices: [{ index: 0, finish_reason: null, delta: { role: 'assistant', content: 'Because' } }],
          },
          chunk(
            'chat.completion.done',
            'sonar-reasoning-pro',
            'Because',
            '',
            { ...sources, usage: tokens(20, 50) },
            'stop',
          ),
          '[DONE]',
        ),
      },
      expected: {
        text: 'Because',
        extra: {
          answer: { citations },
          choice: { reasoning_steps: [{ thought: 'Look.', type: 'web_search' }] },
        },
        usage: { inputTokens: 20, outputTokens: 50 },
        cost: '0.00044',
        sent: { stream_mode: 'concise' },
      },
    },
    'usage-of-deep-research': {
      request: { model: 'sonar-deep-research', messages: ask('Report.'), stream: false },
      answer: {
        body: JSON.stringify({
          ...head,
          model: 'sonar-deep-research',
          object: 'chat.completion',
          citations,
          choices: [
            {
              index: 0,
              finish_reason: 'stop',
              message: { role: 'assistant', content: '<think>\nPlan.\n</think>\n\nReport.' },
            },
          ],
          usage: tokens(33, 7_163, {
            citation_tokens: 20_016,
            num_search_queries: 28,
            reasoning_tokens: 193_947,
            cost: { total_cost: 0.817 },
          }),
        }),
      },
      expected: {
        text: '<think>\nPlan.\n</think>\n\nReport.',
        usage: {
          inputTokens: 33,
          outputTokens: 7_163,
          raw: { citation_tokens: 20_016, num_search_queries: 28 },
        },
        // More reasoning than output, and the total has only the output.
        cost: { unpriced: 'invalid_usage' },
        reportedCost: '0.817',
      },
    },
    'html-in-place-of-an-error': {
      request: { model: 'sonar', messages: ask('Hi.') },
      answer: {
        status: 401,
        headers: { 'content-type': 'text/html' },
        body: '<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>\r\n<center><h1>401 Authorization Required</h1></center>\r\n</body>\r\n</html>\r\n',
      },
      expected: refused('invalid_credentials', 401),
    },
    'numeric-code-of-an-error': {
      request: { model: 'sonar', messages: [...ask('Hi.'), ...ask('Hello?')] },
      answer: {
        status: 400,
        body: JSON.stringify({
          error: {
            message:
              'After the (optional) system message(s), user and assistant roles should be alternating.',
            type: 'invalid_message',
            code: 400,
          },
        }),
      },
      expected: refused('invalid_request', 400, {
        providerCode: '400',
        providerType: 'invalid_message',
        says: 'roles should be alternating',
      }),
    },
  },
};
