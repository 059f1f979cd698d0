import { describe, expect, it } from 'vitest';
import { mapRequest } from '../../../../src/adapters/openai/request/map-request.ts';
import type { ChatRequest, Message, Tool } from '../../../../src/contract/record-types.ts';
import { aCall, aMessage, aPart, aToolCall } from '../provider-call.ts';

const body = (request: Partial<ChatRequest> = {}): Readonly<Record<string, unknown>> =>
  mapRequest(aCall(request), { includeObfuscationOption: false });

const messages = (...list: Message[]): unknown => body({ messages: list })['messages'];

function aTool(members: Partial<Tool>): Tool {
  return {
    type: 'function',
    name: 'f',
    description: null,
    parametersJson: null,
    strict: null,
    grammarSyntax: null,
    grammarDefinition: null,
    extraJson: null,
    ...members,
  };
}

describe('mapRequest', () => {
  it('sends no field that was left open, and none of the service’s own', () => {
    expect(body()).toEqual({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hello' }],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('disables obfuscation only for a server that knows the option', () => {
    const sent = mapRequest(aCall(), { includeObfuscationOption: true });
    expect(sent['stream_options']).toEqual({ include_usage: true, include_obfuscation: false });
  });

  it('does not stream when the model or the audio format cannot be streamed', () => {
    const options = { includeObfuscationOption: true };
    const call = aCall();
    const whole = mapRequest({ ...call, model: { ...call.model, streams: false } }, options);
    expect(whole['stream']).toBe(false);
    expect(whole).not.toHaveProperty('stream_options');
    const audio = (format: string) => ({ audio: { format, voice: 'alloy', voiceId: null } });
    expect(body(audio('wav'))['stream']).toBe(false);
    expect(body(audio('pcm16'))['stream']).toBe(true);
    expect(body({ stream: false })['stream']).toBe(true);
  });

  it('takes the name of the token limit from the model, and limit and temperature from the call', () => {
    const call = aCall({ temperature: 2, maxOutputTokens: 9 }, { temperature: 0, maxOutputTokens: 100 });
    const older = { ...call, model: { ...call.model, maxTokensParameter: 'max_tokens' as const } };
    const options = { includeObfuscationOption: false };
    expect(mapRequest(call, options)).toMatchObject({ temperature: 0, max_completion_tokens: 100 });
    expect(mapRequest(older, options)).toMatchObject({ max_tokens: 100 });
    expect(mapRequest(older, options)).not.toHaveProperty('max_completion_tokens');
  });

  it.each([
    ['max_completion_tokens', 'max_completion_tokens'],
    ['max_tokens', 'max_tokens'],
    [null, 'max_tokens'],
  ])('sends the limit to an unknown model as the caller wrote it: %s', (written, expected) => {
    const call = aCall({ maxTokensParameter: written });
    const unknown = { ...call, model: { ...call.model, maxTokensParameter: null } };
    const body = mapRequest({ ...unknown, maxOutputTokens: 100 }, { includeObfuscationOption: false });
    expect(body[expected]).toBe(100);
    expect(Object.keys(body).filter((name) => name.startsWith('max_'))).toEqual([expected]);
  });

  it('maps every setting', () => {
    const request: Partial<ChatRequest> = {
      topP: 0.5,
      stop: ['END'],
      seed: 7,
      presencePenalty: 0,
      frequencyPenalty: -1,
      logitBias: { '50256': -100 },
      logprobs: false,
      topLogprobs: 3,
      n: 2,
      reasoningEffort: 'low',
      verbosity: 'high',
      serviceTier: 'flex',
      modalities: ['text', 'audio'],
      audio: { format: 'pcm16', voice: 'alloy', voiceId: null },
      prediction: [aPart('text', { text: 'guess' })],
      promptCacheKey: 'key',
      promptCacheMode: 'explicit',
      promptCacheTtl: '30m',
      promptCacheRetention: '24h',
      safetyIdentifier: 'hash',
      providerUser: 'someone',
      store: true,
      providerMetadata: { run: '1' },
      moderation: { model: 'omni-moderation-latest', inputMode: 'block', outputMode: null },
      webSearch: { contextSize: 'low', city: 'Rome', country: 'IT', region: null, timezone: null },
      parallelToolCalls: false,
      extraJson: '{"brand_new":{"a":1}}',
    };
    expect(body(request)).toEqual({
      ...body(),
      top_p: 0.5,
      stop: ['END'],
      seed: 7,
      presence_penalty: 0,
      frequency_penalty: -1,
      logit_bias: { '50256': -100 },
      logprobs: false,
      top_logprobs: 3,
      n: 2,
      reasoning_effort: 'low',
      verbosity: 'high',
      service_tier: 'flex',
      modalities: ['text', 'audio'],
      audio: { format: 'pcm16', voice: 'alloy' },
      prediction: { type: 'content', content: [{ type: 'text', text: 'guess' }] },
      prompt_cache_key: 'key',
      prompt_cache_options: { mode: 'explicit', ttl: '30m' },
      prompt_cache_retention: '24h',
      safety_identifier: 'hash',
      user: 'someone',
      store: true,
      metadata: { run: '1' },
      moderation: { model: 'omni-moderation-latest', policy: { input: { mode: 'block' } } },
      web_search_options: {
        search_context_size: 'low',
        user_location: { type: 'approximate', approximate: { city: 'Rome', country: 'IT' } },
      },
      parallel_tool_calls: false,
      brand_new: { a: 1 },
    });
  });

  it('maps records that only enable an option', () => {
    const nowhere = { contextSize: null, city: null, country: null, region: null, timezone: null };
    expect(body({ webSearch: nowhere })['web_search_options']).toEqual({});
    const moderation = { model: 'm', inputMode: null, outputMode: null };
    expect(body({ moderation })['moderation']).toEqual({ model: 'm' });
    const scored = { model: 'm', inputMode: null, outputMode: 'score' };
    expect(body({ moderation: scored })['moderation']).toMatchObject({
      policy: { output: { mode: 'score' } },
    });
    const audio = { format: 'mp3', voice: null, voiceId: 'voice_1' };
    expect(body({ audio })['audio']).toEqual({ format: 'mp3', voice: { id: 'voice_1' } });
    expect(body({ audio: { ...audio, voiceId: null } })['audio']).toEqual({ format: 'mp3' });
  });

  it.each([
    ['{"temperature":1}', 'extraJson.temperature'],
    ['{"stream":false}', 'extraJson.stream'],
    ['[1]', 'extraJson'],
    ['"x"', 'extraJson'],
    ['null', 'extraJson'],
    ['{my diary', 'extraJson'],
  ])('refuses %s as extra parameters, naming the path and quoting nothing', (extraJson, param) => {
    const attempt = () => body({ extraJson });
    expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_request', retryable: false, param }));
    expect(attempt).not.toThrow('diary');
  });
});

describe('messages', () => {
  it('keep their role and name, including unknown roles', () => {
    expect(
      messages(
        aMessage({ role: 'developer', content: 'Be brief.' }),
        aMessage({ role: 'user', content: '', name: 'ann' }),
        aMessage({ role: 'critic', content: 'Hm.' }),
        aMessage({ role: 'tool', content: '21', toolCallId: 'call_1' }),
        aMessage({ role: 'function', content: '22', name: 'f' }),
      ),
    ).toEqual([
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: '', name: 'ann' },
      { role: 'critic', content: 'Hm.' },
      { role: 'tool', content: '21', tool_call_id: 'call_1' },
      { role: 'function', name: 'f', content: '22' },
    ]);
  });

  it('of the assistant carry refusal, audio and calls of every kind', () => {
    expect(
      messages(
        aMessage({ role: 'assistant', refusal: 'No.', name: 'bot' }),
        aMessage({ role: 'assistant', audioId: 'audio_1' }),
        aMessage({
          role: 'assistant',
          toolCalls: [
            aToolCall(),
            aToolCall({ id: 'call_2', type: 'custom', name: 'sql', arguments: 'SELECT 1' }),
          ],
        }),
        aMessage({ role: 'assistant', toolCalls: [aToolCall({ id: null, type: 'function_call' })] }),
      ),
    ).toEqual([
      { role: 'assistant', content: null, name: 'bot', refusal: 'No.' },
      { role: 'assistant', content: null, audio: { id: 'audio_1' } },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{}' } },
          { id: 'call_2', type: 'custom', custom: { name: 'sql', input: 'SELECT 1' } },
        ],
      },
      { role: 'assistant', content: null, function_call: { name: 'get_weather', arguments: '{}' } },
    ]);
  });

  it('carry every kind of part, bytes as base64', () => {
    const data = new Uint8Array([9, 0, 1, 2, 9]).subarray(1, 4);
    const parts = [
      aPart('text', { text: 'Look', cacheBreakpoint: { mode: 'explicit', ttl: null } }),
      aPart('image_url', { url: 'https://example.com/a.png', detail: 'low' }),
      aPart('image_url', { data, mediaType: 'image/png', cacheBreakpoint: { mode: 'explicit', ttl: '12h' } }),
      aPart('input_audio', { data, format: 'wav' }),
      aPart('file', { data, mediaType: 'application/pdf', fileName: 'a.pdf' }),
      aPart('file', { data }),
      aPart('file', { fileId: 'file_1' }),
      aPart('refusal', { text: 'No.' }),
      aPart('input_audio', { format: 'mp3' }),
    ];
    expect(messages(aMessage({ parts }))).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look', prompt_cache_breakpoint: { mode: 'explicit' } },
          { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
          {
            type: 'image_url',
            image_url: { url: 'data:image/png;base64,AAEC' },
            prompt_cache_breakpoint: { mode: 'explicit', ttl: '12h' },
          },
          { type: 'input_audio', input_audio: { data: 'AAEC', format: 'wav' } },
          { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAEC' } },
          { type: 'file', file: { file_data: 'AAEC' } },
          { type: 'file', file: { file_id: 'file_1' } },
          { type: 'refusal', refusal: 'No.' },
          { type: 'input_audio', input_audio: { data: '', format: 'mp3' } },
        ],
      },
    ]);
  });
});

describe('tools', () => {
  it('are functions with a schema or custom tools with a grammar', () => {
    const tools = [
      aTool({ description: 'Weather', parametersJson: '{"type":"object"}', strict: true }),
      aTool({
        type: 'custom',
        name: 'sql',
        description: 'SQL',
        grammarSyntax: 'lark',
        grammarDefinition: 'start: "x"',
      }),
      aTool({ type: 'custom', name: 'free' }),
      aTool({ name: 'plain' }),
    ];
    expect(body({ tools })['tools']).toEqual([
      {
        type: 'function',
        function: { name: 'f', description: 'Weather', parameters: { type: 'object' }, strict: true },
      },
      {
        type: 'custom',
        custom: {
          name: 'sql',
          description: 'SQL',
          format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'start: "x"' } },
        },
      },
      { type: 'custom', custom: { name: 'free' } },
      { type: 'function', function: { name: 'plain' } },
    ]);
  });

  it('with a broken schema are an invalid request that names the path', () => {
    const tools = [aTool({}), aTool({ parametersJson: '{' })];
    expect(() => body({ tools })).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'tools[1].parametersJson' }),
    );
  });

  const f = { type: 'function', name: 'f' };
  const sql = { type: 'custom', name: 'sql' };
  it.each([
    [{ mode: 'none', allowedMode: null, tools: [] }, 'none'],
    [{ mode: 'auto', allowedMode: null, tools: [] }, 'auto'],
    [{ mode: 'required', allowedMode: null, tools: [] }, 'required'],
    [
      { mode: 'tool', allowedMode: null, tools: [f] },
      { type: 'function', function: { name: 'f' } },
    ],
    [
      { mode: 'tool', allowedMode: null, tools: [sql] },
      { type: 'custom', custom: { name: 'sql' } },
    ],
    [
      { mode: 'allowed', allowedMode: 'required', tools: [f, sql] },
      {
        type: 'allowed_tools',
        allowed_tools: {
          mode: 'required',
          tools: [
            { type: 'function', function: { name: 'f' } },
            { type: 'custom', custom: { name: 'sql' } },
          ],
        },
      },
    ],
    [
      { mode: 'allowed', allowedMode: null, tools: [] },
      { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } },
    ],
  ])('are chosen by %j', (toolChoice, expected) => {
    expect(body({ toolChoice })['tool_choice']).toEqual(expected);
  });

  it.each([
    [{ mode: 'perhaps', allowedMode: null, tools: [] }, 'toolChoice.mode'],
    [{ mode: 'tool', allowedMode: null, tools: [] }, 'toolChoice.tools'],
    [{ mode: 'tool', allowedMode: null, tools: [f, sql] }, 'toolChoice.tools'],
  ])('cannot be chosen by %j', (toolChoice, param) => {
    expect(() => body({ toolChoice })).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });
});

describe('the older functions form', () => {
  it('is used for tools, choice, calls and results', () => {
    const sent = body({
      legacyFunctions: true,
      parallelToolCalls: true,
      tools: [aTool({ parametersJson: '{}', strict: true })],
      toolChoice: { mode: 'tool', allowedMode: null, tools: [{ type: 'function', name: 'f' }] },
      messages: [
        aMessage({ role: 'assistant', toolCalls: [aToolCall({ id: 'call_7' })] }),
        aMessage({ role: 'user', content: 'wait' }),
        aMessage({ role: 'tool', content: '21', toolCallId: 'call_7' }),
        aMessage({ role: 'tool', content: '22', toolCallId: 'call_8' }),
        aMessage({ role: 'tool', content: '23', name: 'named' }),
      ],
    });
    expect(sent).toMatchObject({
      functions: [{ name: 'f', parameters: {} }],
      function_call: { name: 'f' },
      messages: [
        { role: 'assistant', content: null, function_call: { name: 'get_weather', arguments: '{}' } },
        { role: 'user', content: 'wait' },
        { role: 'function', name: 'get_weather', content: '21' },
        { role: 'function', name: null, content: '22' },
        { role: 'function', name: 'named', content: '23' },
      ],
    });
    expect(sent).not.toHaveProperty('tools');
    expect(sent).not.toHaveProperty('parallel_tool_calls');
  });

  it('supports none, auto or one function as its choice, and no custom tools', () => {
    const choice = (mode: string) =>
      body({ legacyFunctions: true, toolChoice: { mode, allowedMode: null, tools: [] } })['function_call'];
    expect(choice('none')).toBe('none');
    expect(choice('auto')).toBe('auto');
    expect(() => choice('required')).toThrow(expect.objectContaining({ param: 'toolChoice.mode' }));
    expect(() => body({ legacyFunctions: true, tools: [aTool({ type: 'custom' })] })).toThrow(
      expect.objectContaining({ param: 'tools[0].type' }),
    );
    expect(body({ legacyFunctions: true })).not.toHaveProperty('functions');
  });
});

describe('the response format', () => {
  const format = (type: string, schemaJson: string | null = null) => ({
    type,
    name: 'answer',
    description: 'The answer',
    schemaJson,
    strict: true,
  });

  it('is a type alone or a named schema', () => {
    expect(body({ responseFormat: format('json_object') })['response_format']).toEqual({
      type: 'json_object',
    });
    expect(body({ responseFormat: format('json_schema', '{"type":"object"}') })['response_format']).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', description: 'The answer', schema: { type: 'object' }, strict: true },
    });
  });

  it('with a broken schema is an invalid request', () => {
    expect(() => body({ responseFormat: format('json_schema', '7') })).toThrow(
      expect.objectContaining({ param: 'responseFormat.schemaJson' }),
    );
  });
});
