import { createHash } from 'node:crypto';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Script } from '../../support/stand-in/script.ts';
import { type StandIn, startStandIn } from '../../support/stand-in/start-stand-in.ts';

let standIn: StandIn;
let client: OpenAI;

beforeAll(async () => {
  standIn = await startStandIn();
  client = new OpenAI({ apiKey: 'sk-test', baseURL: standIn.url, maxRetries: 0 });
});
beforeEach(() => standIn.reset());
afterAll(() => standIn.close());

const scripted = (script: Script | Script[]) =>
  `Please do this: ${JSON.stringify({ standIn: script })} Thank you!`;

const weatherTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string' },
        unit: { enum: ['fahrenheit', 'celsius'] },
        days: { type: 'integer' },
      },
      required: ['city', 'unit', 'days'],
    },
  },
} satisfies OpenAI.ChatCompletionTool;

async function stream(
  content: string,
  more: Partial<OpenAI.ChatCompletionCreateParamsStreaming> = {},
): Promise<OpenAI.ChatCompletionChunk[]> {
  const answer = await client.chat.completions.create({
    model: 'gpt-4o',
    messages: [{ role: 'user', content }],
    stream: true,
    stream_options: { include_usage: true },
    ...more,
  });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: OpenAI.ChatCompletionChunk[], choice = 0) =>
  chunks
    .flatMap((chunk) => chunk.choices)
    .filter(({ index }) => index === choice)
    .map(({ delta }) => delta.content ?? '')
    .join('');

describe('a streamed answer', () => {
  it('is a role chunk, one chunk per token, a finish chunk and a usage chunk without choices', async () => {
    const chunks = await stream(scripted({ text: 'Wörter — and\n spaces  stay. ', promptTokens: 100 }));
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(textOf(chunks)).toBe('Wörter — and\n spaces  stay. ');
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage).toMatchObject({
      prompt_tokens: 100,
      completion_tokens: 6,
      total_tokens: 106,
    });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks[0]).toMatchObject({
      model: 'gpt-4o',
      object: 'chat.completion.chunk',
      service_tier: 'default',
    });
  });

  it('has the scripted number of generated tokens, different ones for each choice', async () => {
    const chunks = await stream(scripted({ tokens: 12 }), { n: 2 });
    expect(chunks).toHaveLength(2 * (1 + 12 + 1) + 1);
    expect(textOf(chunks, 0)).not.toBe(textOf(chunks, 1));
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(24);
  });

  it('has no usage chunk when none is requested or the script withholds it', async () => {
    const unasked = await stream(scripted({ tokens: 1 }), { stream_options: {} });
    const withheld = await stream(scripted({ tokens: 1, usage: 'missing' }));
    for (const chunks of [unasked, withheld]) expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
  });

  it('overrides computed usage details with scripted ones', async () => {
    const details = { prompt_tokens: 50, prompt_tokens_details: { cached_tokens: 40 } };
    const chunks = await stream(scripted({ tokens: 3, usage: details }));
    expect(chunks.at(-1)?.usage).toMatchObject({ ...details, completion_tokens: 3, total_tokens: 53 });
  });

  it('ends with finish reason length at the requested maximum', async () => {
    const chunks = await stream(scripted({ tokens: 9 }), { max_completion_tokens: 4 });
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(4);
  });

  it('splits several tool calls over chunks, ids and names first', async () => {
    const toolCalls = [
      { name: 'first', arguments: { city: 'Zürich 🏔️', unit: 'celsius' } },
      { name: 'second', arguments: '{"broken": ' },
    ];
    const chunks = await stream(scripted({ toolCalls }));
    const deltas = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    const joined = (index: number) =>
      deltas
        .filter((delta) => delta.index === index)
        .map((delta) => delta.function?.arguments)
        .join('');
    expect(JSON.parse(joined(0))).toEqual(toolCalls[0]?.arguments);
    expect(joined(1)).toBe('{"broken": ');
    expect(deltas.filter(({ id }) => id !== undefined).map((delta) => delta.function?.name)).toEqual([
      'first',
      'second',
    ]);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('tool_calls');
  });

  it('sends explicit deltas and chunks unchanged', async () => {
    const finish = { choices: [{ index: 0, delta: {}, finish_reason: 'content_filter' }] };
    const chunks = await stream(
      scripted({
        chunks: [{ role: 'assistant', refusal: 'No' }, { content: 'a\ud83d' }, finish],
        finishReason: null,
      }),
    );
    expect(chunks.map((chunk) => chunk.choices[0]?.delta)).toEqual([
      { role: 'assistant', refusal: 'No' },
      { content: 'a\ud83d' },
      {},
      undefined,
    ]);
    expect(chunks[2]?.choices[0]?.finish_reason).toBe('content_filter');
    expect(chunks[2]?.id).toBe(chunks[0]?.id);
  });

  it('stamps tokens with the microsecond at which they are written', async () => {
    const before = (performance.timeOrigin + performance.now()) * 1000;
    const chunks = await stream(scripted({ tokens: 4, stamp: true, firstTokenMs: 20, gapMs: 10 }));
    const stamps = textOf(chunks).trim().split(' ').map(Number);
    expect(stamps).toHaveLength(4);
    const after = (performance.timeOrigin + performance.now()) * 1000;
    expect(stamps.toSorted((one, other) => one - other)).toEqual(stamps);
    // Two processes' clocks may differ by a little.
    expect(stamps.every((stamp) => stamp > before - 1_000_000 && stamp < after + 1_000_000)).toBe(true);
  });

  it('reports the served tier that the real service would, or the scripted one', async () => {
    const tierOf = async (tier: 'auto' | 'flex', script: Script) =>
      (await stream(scripted({ tokens: 1, ...script }), { service_tier: tier }))[0]?.service_tier;
    expect(await tierOf('auto', {})).toBe('default');
    expect(await tierOf('flex', {})).toBe('flex');
    expect(await tierOf('flex', { serviceTier: 'default' })).toBe('default');
  });
});

describe('an unstreamed answer', () => {
  it('has the same message, tool calls and usage in one body', async () => {
    const answer = await client.chat.completions.create({
      model: 'gpt-4o',
      n: 2,
      messages: [
        {
          role: 'user',
          content: scripted({ text: 'Hi you', toolCalls: [{ name: 'f', arguments: { a: 1 } }] }),
        },
      ],
    });
    expect(answer.object).toBe('chat.completion');
    expect(answer.choices.map(({ message }) => message.content)).toEqual(['Hi you', 'Hi you']);
    expect(answer.choices[1]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: 'f', arguments: '{"a":1}' },
    });
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls');
    const [call] = await standIn.calls();
    expect(answer.usage?.completion_tokens).toBe(call?.completionTokens);
    expect(call).toMatchObject({
      completionId: answer.id,
      stream: false,
      outcome: 'completed',
      contentHash: createHash('sha256').update('Hi you').digest('hex'),
    });
  });
});

describe('without a script', () => {
  it('answers in 25 to 40 words, and reports their actual usage', async () => {
    const texts = ['Hello', 'Tell me about logs', 'And now?', 'Who are you', 'a', 'b', 'c', 'd'];
    const answers = await Promise.all(texts.map((text) => stream(text)));
    expect(new Set(answers.map((chunks) => textOf(chunks))).size).toBeGreaterThan(2);
    for (const chunks of answers) {
      const words = textOf(chunks).split(' ').length;
      expect(words).toBeGreaterThanOrEqual(25);
      expect(words).toBeLessThanOrEqual(40);
      expect(chunks.at(-1)?.usage?.completion_tokens).toBe(words);
    }
  });

  it('calls an offered tool when one is needed and answers from its result', async () => {
    const question = {
      role: 'user',
      content: 'What is the weather in New York in celsius for 3 days?',
    } as const;
    const request = { model: 'gpt-4o', tools: [weatherTool], messages: [question] };
    const asked = await client.chat.completions.create(request);
    const message = asked.choices[0]?.message;
    const call = message?.tool_calls?.[0];
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } });
    if (message === undefined || call?.type !== 'function') return;
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'New York', unit: 'celsius', days: 3 });
    const result = {
      role: 'tool',
      tool_call_id: call.id,
      content: '{"temperature": 18, "sky":"clear"}',
    } as const;
    const answered = await client.chat.completions.create({
      ...request,
      messages: [question, message, result],
    });
    expect(answered.choices[0]?.message.content).toContain('New York');
    expect(answered.choices[0]?.message.content).toContain('temperature is 18, sky is clear');
    expect(answered.choices[0]?.finish_reason).toBe('stop');
  });

  it('respects the tool choice', async () => {
    const ask = async (content: string, tool_choice: OpenAI.ChatCompletionToolChoiceOption) => {
      const messages = [{ role: 'user', content } as const];
      const answer = await client.chat.completions.create({
        model: 'm',
        messages,
        tools: [weatherTool],
        tool_choice,
      });
      return answer.choices[0]?.finish_reason;
    };
    const reasons = await Promise.all([
      ask('Tell me a joke', 'auto'),
      ask('The weather in Paris?', 'none'),
      ask('Tell me a joke', 'required'),
      ask('A joke', { type: 'function', function: { name: 'get_weather' } }),
    ]);
    expect(reasons).toEqual(['stop', 'stop', 'tool_calls', 'tool_calls']);
  });

  it('answers a JSON schema with JSON', async () => {
    const schema = { type: 'object', properties: { names: { type: 'array', items: { type: 'string' } } } };
    const chunks = await stream('Who wrote to Ada Lovelace?', {
      response_format: { type: 'json_schema', json_schema: { name: 'people', schema } },
    });
    expect(JSON.parse(textOf(chunks))).toEqual({ names: ['Ada Lovelace'] });
  });
});

describe('errors, as the client sees them', () => {
  it.each([
    [400, OpenAI.BadRequestError, 'invalid_request_error', null],
    [401, OpenAI.AuthenticationError, 'invalid_request_error', 'invalid_api_key'],
    [403, OpenAI.PermissionDeniedError, 'request_forbidden', 'unsupported_country_region_territory'],
    [404, OpenAI.NotFoundError, 'invalid_request_error', 'model_not_found'],
    [429, OpenAI.RateLimitError, 'requests', 'rate_limit_exceeded'],
    [500, OpenAI.InternalServerError, 'server_error', null],
    [503, OpenAI.InternalServerError, 'service_unavailable_error', 'server_is_overloaded'],
  ])(
    '%i becomes the typed error with its type, code and request id',
    async (status, errorClass, type, code) => {
      const error = await stream(scripted({ status })).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(errorClass);
      expect(error).toMatchObject({ status, type, code, requestID: expect.stringMatching(/^req_/) });
      expect(await standIn.calls()).toMatchObject([{ status, outcome: 'error', completionTokens: 0 }]);
    },
  );

  it('takes members of the error, Retry-After and other headers from the script', async () => {
    const quota = { type: 'insufficient_quota', code: 'insufficient_quota', message: 'No money.' };
    const headers = { 'x-ratelimit-reset-tokens': '6m0s', 'x-should-retry': 'false' };
    const script = { status: 429, error: quota, retryAfterMs: 1500, headers };
    const error = (await stream(scripted(script)).catch((thrown: unknown) => thrown)) as InstanceType<
      typeof OpenAI.APIError
    >;
    expect(error).toMatchObject({ ...quota, message: '429 No money.' });
    expect(Object.fromEntries(error.headers ?? [])).toMatchObject({
      'retry-after-ms': '1500',
      'retry-after': '2',
      ...headers,
    });
  });

  it('refuses a missing or an invalid key without repeating it', async () => {
    const invalid = new OpenAI({ apiKey: 'sk-invalid-secret-1234', baseURL: standIn.url, maxRetries: 0 });
    const error = await invalid.chat.completions
      .create({ model: 'm', messages: [] })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect(String(error)).not.toContain('secret');
    const missing = await fetch(`${standIn.url}/chat/completions`, { method: 'POST', body: '{}' });
    expect(missing.status).toBe(401);
  });

  it('names the parameter of an invalid request, and the field of an invalid script', async () => {
    const bad = { model: 'm', messages: [{ role: 'user', content: 7 as unknown as string } as const] };
    await expect(client.chat.completions.create(bad)).rejects.toMatchObject({
      status: 400,
      param: 'messages[0].content',
    });
    await expect(stream('{"standIn":{"tokn":1}}')).rejects.toThrow(/tokn/);
    await expect(stream('{"standIn":{"tokens":1')).rejects.toThrow(/not JSON/);
  });
});

describe('models', () => {
  it('are listed, found by id, and unknown ones are a 404', async () => {
    const ids = (await client.models.list()).data.map(({ id }) => id);
    expect(ids).toContain('gpt-4');
    expect(await client.models.retrieve('gpt-4')).toMatchObject({ id: 'gpt-4', object: 'model' });
    await expect(client.models.retrieve('gpt-0')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });
});
