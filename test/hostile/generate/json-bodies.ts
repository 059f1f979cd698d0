import { sentRequests } from '../../contract/sent-requests.ts';

/** Request bodies as publishers of JSON write them: with every parameter between them, and two of the usual kind. */
export const jsonBodies: readonly object[] = [
  { model: 'gpt-4', messages: [{ role: 'user', content: 'Say hello.' }] },
  {
    model: 'gpt-4',
    messages: [{ role: 'user', content: 'Say hello.' }],
    stream: false,
    temperature: 0.5,
    max_tokens: 100,
    n: 1,
    logit_bias: { '50256': -100 },
    response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } },
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
  },
  ...sentRequests.map(({ body }) => body),
];
