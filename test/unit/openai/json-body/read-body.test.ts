import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../../../src/adapters/openai/json-body/read-body.ts';
import { mapRequest } from '../../../../src/adapters/openai/request/map-request.ts';
import type { ChatRequest } from '../../../../src/contract/record-types.ts';
import { validateRequest } from '../../../../src/pipeline/handling/validate-request.ts';
import { sampleRequest } from '../../../support/fakes/sample-request.ts';
import { bodies } from '../generated-bodies.ts';
import { aCall } from '../provider-call.ts';

const user = { role: 'user', content: 'Hello' };
const aToolCall = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
const requestOf = (body: Record<string, unknown>): ChatRequest => sampleRequest(readBody(body).fields);
const problemsOf = (body: Record<string, unknown>) =>
  readBody({ model: 'm', messages: [user], ...body }).problems.map(({ path, code }) => `${path} ${code}`);
const partProblems = (part: unknown) => problemsOf({ messages: [{ role: 'user', content: [part] }] });

/** The body that the service would send for a request, with the caller's own temperature and limit. */
function sentFor(request: ChatRequest): Record<string, unknown> {
  const { temperature, maxOutputTokens } = request;
  const call = aCall(request, { temperature, maxOutputTokens });
  return { ...mapRequest(call, { includeObfuscationOption: false }) };
}

describe('readBody', () => {
  it('reads any body that the provider accepts, so that the same body is sent', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const json = JSON.parse(JSON.stringify(body)) as Record<string, unknown>;
        const { fields, problems } = readBody(json);
        const request = sampleRequest(fields);
        expect(problems).toEqual([]);
        expect(validateRequest(request)).toEqual([]);
        const { stream, stream_options, ...sent } = sentFor(request);
        expect({ stream, stream_options }).toEqual({ stream: true, stream_options: { include_usage: true } });
        expect(sent).toEqual(json);
      }),
      { numRuns: 400 },
    );
  });

  it('accepts text for one stop, the limit’s older name and a text prediction, and streams by default', () => {
    const request = requestOf({
      messages: [user],
      stop: 'END',
      max_tokens: 7,
      prediction: { type: 'content', content: 'guess' },
      stream_options: { include_usage: true, include_obfuscation: false },
    });
    expect(request).toMatchObject({
      model: null,
      stop: ['END'],
      maxOutputTokens: 7,
      prediction: [{ type: 'text', text: 'guess' }],
      stream: true,
      extraJson: null,
    });
    expect(requestOf({ messages: [user], stream: false }).stream).toBe(false);
  });

  it('treats null as absent, and accepts an assistant message as the provider returned it', () => {
    const answered = {
      role: 'assistant',
      content: 'Hi',
      refusal: null,
      annotations: [],
      audio: null,
      function_call: null,
      tool_calls: null,
    };
    const body = {
      messages: [user, answered, user],
      temperature: null,
      tools: null,
      stop: null,
      audio: null,
    };
    expect(readBody(body).problems).toEqual([]);
    expect(requestOf(body)).toEqual(
      sampleRequest({
        messages: requestOf({ messages: [user, { role: 'assistant', content: 'Hi' }, user] }).messages,
      }),
    );
  });

  it('accepts a call from a stream, a free text grammar, and empty locations and policies', () => {
    const request = requestOf({
      messages: [
        { role: 'assistant', tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '' } }] },
        { role: 'tool', tool_call_id: 'c', content: '1' },
      ],
      tools: [{ type: 'custom', custom: { name: 'free', format: { type: 'text' } } }],
      moderation: { model: 'm', policy: null },
      web_search_options: {},
    });
    expect(request.messages[0]?.toolCalls).toMatchObject([{ id: 'c', type: 'function', name: 'f' }]);
    expect(request).toMatchObject({
      tools: [{ type: 'custom', name: 'free', grammarSyntax: null }],
      moderation: { model: 'm', inputMode: null, outputMode: null },
      webSearch: { contextSize: null, city: null },
    });
  });

  it.each([
    { type: 'video_url', video_url: { url: 'https://a.example/v.mp4' }, fps: 2 },
    { type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }], signature: 'c2ln' },
    { type: 'input_text', text: 'Hello' },
    { type: 'document', text: { value: 'Hello' } },
    {
      type: 'input_file',
      file_url: 'https://a.example/a.pdf',
      prompt_cache_breakpoint: { mode: 'explicit' },
    },
    { type: 'input_audio', input_audio: 'https://a.example/a.mp3' },
    { type: 'input_audio', input_audio: { url: 'https://a.example/a.mp3', format: 'mp3' } },
    { type: 'file', file: { filename: 'a.pdf', file_data: 'https://a.example/a.pdf' } },
  ])('passes a content part of another type or form on as it is: %j', (part) => {
    for (const role of ['user', 'assistant', 'system', 'tool']) {
      const own = role === 'tool' ? [{ role: 'assistant', tool_calls: [aToolCall] }] : [];
      const result = role === 'tool' ? { tool_call_id: 'call_1' } : {};
      const request = requestOf({ messages: [user, ...own, { role, ...result, content: [part] }] });
      const known = ['input_audio', 'file'].includes(part.type);
      if (!known || role === 'user') expect(validateRequest(request)).toEqual([]);
      const sent = sentFor(request)['messages'] as { content: unknown }[];
      expect(sent.at(-1)?.content).toEqual([part]);
    }
  });

  it.each([
    { type: 'web_search', web_search: { enable: true } },
    { type: 'builtin_function', function: { name: '$web_search' } },
    { googleSearch: {}, type: 'google_search' },
  ])('passes a tool of the provider on as it is: %j', (tool) => {
    const weather = { type: 'function', function: { name: 'f' } };
    const request = requestOf({ messages: [user], tools: [weather, tool], tool_choice: 'any' });
    expect(validateRequest(request)).toEqual([]);
    expect(sentFor(request)).toMatchObject({ tools: [weather, tool], tool_choice: 'any' });
  });

  it('accepts the address of an image without an object around it', () => {
    const part = { type: 'image_url', image_url: 'https://a.example/a.png' };
    const request = requestOf({ messages: [{ role: 'user', content: [part] }] });
    expect(validateRequest(request)).toEqual([]);
    expect(request.messages[0]?.parts[0]?.url).toBe('https://a.example/a.png');
  });

  it('passes unknown parameters on as extra ones, with any name', () => {
    const body = JSON.parse(
      '{"messages":[],"brand_new":[1],"__proto__":{"a":1},"constructor":null}',
    ) as object;
    const { extraJson } = requestOf(body as Record<string, unknown>);
    expect(extraJson).toBe('{"brand_new":[1],"__proto__":{"a":1},"constructor":null}');
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    ['a number as text', { temperature: '1' }, ['temperature wrong_type']],
    ['half a choice', { n: 1.5 }, ['n wrong_type']],
    ['a switch as text', { store: 'yes' }, ['store wrong_type']],
    ['a model that is a number', { model: 4 }, ['model wrong_type']],
    ['messages that are text', { messages: 'Hello' }, ['messages wrong_type']],
    ['a message that is text', { messages: [user, 'Hello'] }, ['messages[1] wrong_type']],
    [
      'content that is a number',
      { messages: [{ role: 'user', content: 7 }] },
      ['messages[0].content wrong_type'],
    ],
    ['stops that are numbers', { stop: [1] }, ['stop wrong_type']],
    ['a stop that is a number', { stop: 1 }, ['stop wrong_type']],
    ['biases that are texts', { logit_bias: { '1': 'x' } }, ['logit_bias wrong_type']],
    ['metadata that are numbers', { metadata: { a: 1 } }, ['metadata wrong_type']],
    ['two limits', { max_tokens: 1, max_completion_tokens: 1 }, ['max_tokens conflict']],
    ['two forms', { tools: [], functions: [] }, ['tools conflict']],
    ['two choices', { tool_choice: 'auto', function_call: 'auto' }, ['tool_choice conflict']],
    ['options of the stream', { stream_options: { flush: 1 } }, ['stream_options.flush unknown_member']],
    [
      'a schema that is text',
      { tools: [{ type: 'function', function: { name: 'f', parameters: '{}' } }] },
      ['tools[0].function.parameters wrong_type'],
    ],
    [
      'a format of no kind',
      { tools: [{ type: 'custom', custom: { name: 'f', format: { type: 'x' } } }] },
      ['tools[0].custom.format.type unknown_value'],
    ],
    [
      'a grammar that is not there',
      { tools: [{ type: 'custom', custom: { name: 'f', format: { type: 'grammar' } } }] },
      ['tools[0].custom.format.grammar missing'],
    ],
    ['a choice that is a number', { tool_choice: 1 }, ['tool_choice wrong_type']],
    ['a choice that is a list', { tool_choice: [] }, ['tool_choice wrong_type']],
    ['a choice of no function', { function_call: {} }, ['function_call.name missing']],
    ['a choice that is a switch', { function_call: true }, ['function_call wrong_type']],
    [
      'a call without arguments',
      { messages: [{ role: 'assistant', function_call: { name: 'f' } }] },
      ['messages[0].function_call.arguments missing'],
    ],
    ['audio without id', { messages: [{ role: 'assistant', audio: {} }] }, ['messages[0].audio.id missing']],
    ['a voice that is a number', { audio: { format: 'wav', voice: 1 } }, ['audio.voice wrong_type']],
    [
      'a prediction of no kind',
      { prediction: { content: 'x' } },
      ['prediction.type missing', 'prediction.type unknown_value'],
    ],
    [
      'a place that is exact',
      { web_search_options: { user_location: { type: 'exact' } } },
      ['web_search_options.user_location.type unknown_value'],
    ],
    [
      'a mode that is a number',
      { moderation: { model: 'm', policy: { input: { mode: 1 } } } },
      ['moderation.policy.input.mode wrong_type'],
    ],
  ])('refuses %s, with the path of the body', (_what, body, expected) => {
    expect(problemsOf(body)).toEqual(expected);
  });

  it.each<[unknown, string]>([
    [{ type: 'image_url', image_url: ['https://a.example'] }, 'image_url wrong_type'],
    [{ type: 'image_url', image_url: { url: 1 } }, 'image_url.url wrong_type'],
    [
      { type: 'input_audio', input_audio: { data: 'no base64', format: 'wav' } },
      'input_audio.data wrong_type',
    ],
    [{ type: 'file', file: { file_data: 'data:application/pdf,x' } }, 'file.file_data wrong_type'],
    [{ type: 'text', text: 'x', prompt_cache_breakpoint: 1 }, 'prompt_cache_breakpoint wrong_type'],
  ])('refuses the part %j', (part, expected) => {
    expect(partProblems(part)).toEqual([`messages[0].content[0].${expected}`]);
  });

  it('leaves missing members to the checks', () => {
    const empty = {
      messages: [{ content: [{}, { type: 'image_url' }], tool_calls: [{ type: 'custom' }] }],
      tools: [{}, { type: 'custom' }],
      tool_choice: {},
      response_format: {},
      audio: {},
      moderation: {},
    };
    expect(readBody(empty).problems).toEqual([]);
    expect(requestOf(empty)).toMatchObject({
      messages: [
        { role: '', parts: [{ type: '' }, { url: null }], toolCalls: [{ type: 'custom', name: '' }] },
      ],
      tools: [
        { type: '', name: '' },
        { type: 'custom', name: '' },
      ],
      toolChoice: { mode: 'tool', tools: [{ type: '', name: '' }] },
      responseFormat: { type: '' },
      audio: { format: '', voice: null },
      moderation: { model: '' },
    });
    const allowed = requestOf({ tool_choice: { type: 'allowed_tools' } });
    expect(allowed.toolChoice).toEqual({ mode: 'allowed', allowedMode: null, tools: [] });
  });
});
