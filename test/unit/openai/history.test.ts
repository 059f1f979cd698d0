import { describe, expect, it } from 'vitest';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import { mapMessages } from '../../../src/adapters/openai/request/map-message.ts';
import { mapTools } from '../../../src/adapters/openai/request/map-tools.ts';
import { validateRequest } from '../../../src/pipeline/handling/validate-request.ts';
import { sampleRequest } from '../../support/fakes/sample-request.ts';

/** What becomes of a body: its problems, and the messages and tools that the provider gets. */
function sent(body: Record<string, unknown>) {
  const { fields, problems } = readBody({ model: 'gpt-4o-mini', ...body });
  const request = sampleRequest({ ...fields, model: 'gpt-4o-mini' });
  const found = [...problems, ...validateRequest(request)];
  const legacy = request.legacyFunctions;
  return { problems: found, messages: mapMessages(request.messages, legacy), tools: mapTools(request) };
}

const user = { role: 'user', content: 'Hi' };
const sentMessages = (...messages: object[]) => {
  const { problems, messages: mapped } = sent({ messages });
  expect(problems).toEqual([]);
  return mapped;
};

describe("the API's own answer as history", () => {
  it('loses what the provider refuses in a request', () => {
    const answer = {
      role: 'assistant',
      content: 'Hello',
      refusal: null,
      annotations: [{ type: 'url_citation', url_citation: { url: 'https://example.com' } }],
      audio: { id: 'audio_1', data: 'AAEC', transcript: 'Hello', expires_at: 1_760_000_000 },
      function_call: null,
      tool_calls: null,
    };
    expect(sentMessages(user, answer, user)[1]).toEqual({
      role: 'assistant',
      content: 'Hello',
      audio: { id: 'audio_1' },
    });
  });

  it('keeps members that have no field, each at its level', () => {
    const call = {
      id: 'call_1',
      type: 'function',
      extra_content: { google: { thought_signature: 'c2ln' } },
      function: { name: 'f', arguments: '{}', thought_signature: 'c2ln' },
    };
    const custom = { id: 'call_2', type: 'custom', custom: { name: 'sql', input: 'SELECT', x: 1 } };
    const assistant = {
      role: 'assistant',
      content: null,
      reasoning_content: 'hm',
      reasoning_details: [{ text: 'hm' }],
      tool_calls: [call, custom],
    };
    const results = [
      { role: 'tool', tool_call_id: 'call_1', name: 'f', content: '1', cache_control: { type: 'ephemeral' } },
      { role: 'tool', tool_call_id: 'call_2', content: '2' },
    ];
    const parts = {
      role: 'user',
      content: [
        { type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png', format: 'png' }, min_pixels: 1 },
        { type: 'file', file: { file_id: 'file-1', pages: [1] } },
      ],
    };
    const messages = [parts, assistant, ...results];
    expect(sentMessages(...messages)).toEqual(messages);
  });

  it('takes reasoning in place of content, and null as content of a function', () => {
    const thought = { role: 'assistant', content: null, reasoning_content: 'hm' };
    expect(sentMessages(user, thought)[1]).toEqual(thought);
    const result = { role: 'function', name: 'f', content: null };
    expect(sentMessages(user, result)[1]).toEqual(result);
  });
});

describe('members of tools that have no field', () => {
  it.each([
    {
      tools: [
        { type: 'function', cache_control: { type: 'ephemeral' }, function: { name: 'f', examples: [1] } },
      ],
    },
    { tools: [{ type: 'custom', custom: { name: 'sql', x: 1 }, defer_loading: true }] },
    { functions: [{ name: 'f', parameters: { type: 'object' }, cache_control: { type: 'ephemeral' } }] },
  ])('%j', (body) => {
    const { problems, tools } = sent({ messages: [user], ...body });
    expect(problems).toEqual([]);
    expect(tools).toEqual(body);
  });
});

describe('forms that the provider takes', () => {
  it('a data URL with parameters', () => {
    const file = (file_data: string) => ({ role: 'user', content: [{ type: 'file', file: { file_data } }] });
    const message = file('data:application/pdf;name=a.pdf;charset=utf-8;base64,AAEC');
    expect(sentMessages(message)).toEqual([message]);
    const image_url = { url: 'data:image/svg+xml;charset=utf-8;base64,AAEC' };
    const image = { role: 'user', content: [{ type: 'image_url', image_url }] };
    expect(sentMessages(image)).toEqual([image]);
  });

  it('a JSON Schema format without a schema', () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'free' } };
    expect(sent({ messages: [user], response_format }).problems).toEqual([]);
  });
});

describe('extra members that have a field', () => {
  const message = (members: object) =>
    sampleRequest({ messages: [{ ...sampleRequest().messages[0], ...members } as never] });

  it.each<[string, object, string]>([
    ['a message', { extraJson: '{"content":"x"}' }, 'messages[0].extraJson.content'],
    ['a message with calls', { extraJson: '{"tool_calls":[]}' }, 'messages[0].extraJson.tool_calls'],
    ['no object', { extraJson: '[]' }, 'messages[0].extraJson'],
    ['too deep', { extraJson: `{"a":${'['.repeat(64)}${']'.repeat(64)}}` }, 'messages[0].extraJson'],
  ])('are refused in %s', (_, members, path) => {
    expect(validateRequest(message(members)).map((problem) => problem.path)).toEqual([path]);
  });
});
