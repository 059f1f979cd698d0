import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAvroCodec } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import { StreamDecoder } from '../../../src/adapters/openai/stream/stream-decoder.ts';
import type { Choice } from '../../../src/contract/record-types.ts';
import type { CompletionDelta } from '../../../src/domain/completion/completion-delta.ts';
import { CompletionFold } from '../../../src/domain/completion/fold-completion.ts';
import { completeUsage, type ReportedUsage } from '../../../src/domain/cost/usage.ts';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import { buildResponse } from '../../../src/pipeline/outcome/build-response.ts';
import { sampleRequest } from '../../support/fakes/sample-request.ts';

const codec = createAvroCodec({
  schemas: loadSchemas(),
  framing: { kind: 'single-object' },
  maxBytes: 64 * 1024 * 1024,
});
const context = { provider: 'openai', model: 'gpt-4o-mini', apiKey: 'sk-test-1234567890' };

interface Decoded {
  readonly deltas: readonly CompletionDelta[];
  readonly choices: readonly Choice[];
  readonly usage: ReportedUsage | null;
  readonly decoder: StreamDecoder;
}

/** Decodes chunks, each in a separate read, and encodes the result as the service does. */
function decode(...chunks: unknown[]): Decoded {
  const decoder = new StreamDecoder(context, 'req_1');
  const fold = new CompletionFold();
  const deltas: CompletionDelta[] = [];
  let usage: ReportedUsage | null = null;
  for (const chunk of chunks) {
    if (decoder.failure !== null) break;
    const events = decoder.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`));
    usage = events?.usage ?? usage;
    for (const delta of events?.deltas ?? []) {
      deltas.push(delta);
      fold.add(delta);
    }
  }
  const choices = fold.result();
  encode(deltas, choices, usage, decoder);
  return { deltas, choices, usage, decoder };
}

function encode(
  deltas: readonly CompletionDelta[],
  choices: Choice[],
  reported: ReportedUsage | null,
  { served }: StreamDecoder,
): void {
  for (const [sequence, { answerExtraJson: _, ...delta }] of deltas.entries()) {
    const chunk = { ...delta, toolCalls: [...delta.toolCalls], last: false, emittedAt: 0 };
    codec.encode('ChatChunk', { ...chunk, requestId: 'r', tenantId: 't', attempt: 1, sequence });
  }
  const usage =
    reported === null ? null : completeUsage(reported, { inputTokens: 1, arrived: () => 1, broke: false });
  const answer = {
    attempt: 1,
    choices,
    extraJson: null,
    usage,
    served,
    chunkCount: deltas.length,
    chunksAcknowledged: Promise.resolve({ chunkCount: 0, failure: null }),
    firstChunkMs: 1,
    failure: null,
    inOutage: false,
  };
  const response = buildResponse({
    request: sampleRequest(),
    answer,
    failure: null,
    requestedModel: 'm',
    provider: 'openai',
    warnings: [],
    attempts: 1,
    cost: null,
    createdAt: 0,
    queuedMs: 0,
    totalMs: 0,
  });
  const { record } = codec.decode('ChatResponse', codec.encode('ChatResponse', response), {});
  expect(JSON.stringify(record.choices.map(comparable))).toBe(JSON.stringify(choices.map(comparable)));
}

/** The bytes, from any kind of array. */
function comparable({ audio, ...choice }: Choice) {
  return {
    ...choice,
    audio: audio && { ...audio, data: audio.data && Buffer.from(audio.data).toString('hex') },
  };
}

const call = (index: unknown, members: object = {}) => ({ index, ...members });
const chunkOf = (delta: unknown, choice: object = { index: 0 }) => ({ choices: [{ ...choice, delta }] });
const toolChunk = (...calls: object[]) => chunkOf({ tool_calls: calls });
const args = (text: string) => ({ function: { arguments: text } });

describe('an invalid index', () => {
  it.each<[unknown]>([
    [0.5],
    [-1],
    [3e9],
    [1e308],
    [-0],
    ['NaN'],
    ['0'],
    [true],
    [{}],
    [{ toString: 1 }],
    [[[]]],
  ])('of a choice, as %j, is one choice for the whole answer', (index) => {
    const { choices } = decode(
      chunkOf({ content: 'a' }, { index }),
      chunkOf({ content: 'b' }, { index }),
      chunkOf({}, { index, finish_reason: 'stop' }),
    );
    expect(choices).toMatchObject([{ index: 0, content: 'ab', finishReason: 'stop' }]);
  });

  it.each<[unknown]>([[0.5], [-1], [3e9], [1e308], ['NaN'], ['0'], [{}]])(
    'of a tool call, as %j, is one call',
    (index) => {
      const { choices } = decode(
        toolChunk(call(index, { id: 'call_1', function: { name: 'f', arguments: '{"a"' } })),
        toolChunk(call(index, args(':1'))),
        toolChunk(call(index, args('}'))),
      );
      expect(choices[0]?.toolCalls).toMatchObject([{ id: 'call_1', name: 'f', arguments: '{"a":1}' }]);
    },
  );

  it('never merges two choices of one chunk, and means the only choice if there is one', () => {
    const odd = (content: string) => ({ index: 0.5, delta: { content } });
    const even = (index: number, content: string) => ({ index, delta: { content } });
    const texts = (...lists: object[][]) =>
      decode(...lists.map((choices) => ({ choices }))).choices.map(({ content }) => content);
    expect(texts([even(1, 'a'), odd('b')], [even(1, 'a'), odd('b')])).toEqual(['bb', 'aa']);
    expect(texts([odd('a'), odd('b')], [odd('a'), odd('b')])).toEqual(['aa', 'bb']);
    expect(texts([odd('a'), even(0, 'b')], [odd('a'), even(0, 'b')])).toEqual(['bb', 'aa']);
    expect(texts([odd('a')], [even(0, 'b')], [odd('c')], [{ delta: { content: 'd' } }])).toEqual(['abcd']);
    expect(texts([{ delta: { content: 'a' } }], [even(0, 'a')], [even(1, 'b')])).toEqual(['aa', 'b']);
  });

  it('never merges two calls: another id is another call', () => {
    for (const index of [0.5, undefined, null]) {
      const { choices } = decode(
        toolChunk(call(index, { id: 'a', ...args('1') })),
        toolChunk(call(index, args('1'))),
        toolChunk(call(index, { id: 'b', ...args('2') })),
        toolChunk(call(index, args('2'))),
      );
      expect(choices[0]?.toolCalls.map(({ id, arguments: text }) => [id, text])).toEqual([
        ['a', '11'],
        ['b', '22'],
      ]);
    }
    const mixed = decode(
      toolChunk(call(1, args('a')), call(0.5, args('b'))),
      toolChunk(call(null, { id: 'x', ...args('c') })),
      toolChunk(call(null, { id: 'y', ...args('d') })),
      toolChunk(call(2, { id: 'z', ...args('e') })),
      toolChunk(call(2, args('e'))),
    );
    expect(mixed.choices[0]?.toolCalls.map((one) => one.arguments)).toEqual(['bc', 'a', 'd', 'ee']);
  });
});

describe('an invalid value', () => {
  it.each([
    [1.0005, 1001],
    [-1, null],
    [1e308, null],
    [8.7e12, null],
    ['2', null],
  ])('audio.expires_at %j is %s', (expires_at, expiresAt) => {
    expect(decode(chunkOf({ audio: { id: 'a', expires_at } })).choices[0]?.audio?.expiresAt).toBe(expiresAt);
  });

  it('is left out as an annotation, and the others stay', () => {
    const url_citation = { start_index: 1, end_index: 2, title: 'T', url: 'https://example.com' };
    const odd = [
      null,
      'text',
      [[]],
      {},
      { url_citation: null },
      { url_citation: 'text' },
      { url_citation: [] },
      { url_citation: { ...url_citation, start_index: 0.5 } },
      { url_citation: { ...url_citation, start_index: -1 } },
      { url_citation: { ...url_citation, end_index: 'NaN' } },
      { url_citation: { ...url_citation, end_index: 3e9 } },
      { url_citation: { ...url_citation, title: { toString: 1 } } },
      { url_citation: { ...url_citation, url: ['x'] } },
      { url_citation: { ...url_citation, url: 'x'.repeat(1_000_000) } },
    ];
    const { choices, decoder } = decode(chunkOf({ annotations: [...odd, { url_citation }] }));
    expect(decoder.failure).toBeNull();
    expect(choices[0]?.annotations).toEqual([
      { startIndex: 1, endIndex: 2, title: 'T', url: 'https://example.com' },
    ]);
  });

  it('is left out when it is a too long id, and cut when it is a word', () => {
    const long = '🗼'.repeat(250_000);
    const { decoder, choices } = decode(
      { id: long, model: long, service_tier: `x${long}`, system_fingerprint: long, choices: [] },
      chunkOf({ role: long, content: 'x' }, { index: 0, finish_reason: `x${long}` }),
    );
    const { served, failure } = decoder;
    expect(failure).toBeNull();
    expect(served).toMatchObject({ responseId: null, systemFingerprint: null });
    expect(served.model).toHaveLength(1_024);
    expect(served.serviceTier?.length).toBeLessThanOrEqual(1_024);
    expect(served.serviceTier?.isWellFormed()).toBe(true);
    expect(choices[0]?.finishReason?.length).toBeLessThanOrEqual(1_024);
  });

  it('is replaced when it is a too long call id: by the same id in each piece, by another for another call', () => {
    const long = (end: string) => call(0, { id: `${'x'.repeat(100_000)}${end}`, ...args('1') });
    const [first, second] = decode(toolChunk(long('a')), toolChunk(long('a'))).deltas;
    expect(first?.toolCalls[0]?.id).toMatch(/^call_[0-9a-f]{32}$/);
    expect(second?.toolCalls[0]?.id).toBe(first?.toolCalls[0]?.id);
    expect(decode(toolChunk(long('b'))).deltas[0]?.toolCalls[0]?.id).not.toBe(first?.toolCalls[0]?.id);
  });

  it('has no lone surrogate anywhere', () => {
    const half = '\ud83d';
    const tool_calls = [{ index: 0, id: half, type: half, function: { name: half, arguments: '' } }];
    const delta = { role: half, tool_calls, audio: { id: half }, [half]: half };
    const { deltas, decoder } = decode({
      ...chunkOf(delta, { index: 0, finish_reason: half }),
      id: half,
      model: half,
    });
    const texts = JSON.stringify([deltas, decoder.served]);
    expect(texts.isWellFormed() && !/\\ud83d"/.test(texts.replace(/extraJson.*?}"/g, ''))).toBe(true);
  });

  it('of an error is masked and short, and has no text of the request', () => {
    const prompt = 'my diary of today';
    const decoder = new StreamDecoder(context, null);
    const error = { message: prompt, code: prompt, type: `${prompt} `.repeat(100_000), param: prompt };
    decoder.push(Buffer.from(`data: ${JSON.stringify({ error })}\n\n`));
    const shown = JSON.stringify({ ...decoder.failure, message: decoder.failure?.message });
    expect(shown).not.toContain('diary');
    expect(shown.length).toBeLessThan(1_000);
  });

  it('leaks no key into the fields that describe the answer', () => {
    const { served } = decode({
      id: `Bearer ${context.apiKey}`,
      model: context.apiKey,
      service_tier: `tier ${context.apiKey}`,
      system_fingerprint: context.apiKey,
      choices: [],
    }).decoder;
    expect(JSON.stringify(served)).not.toContain('1234567890');
  });
});

describe('usage', () => {
  const usageOf = (usage: unknown) => decode({ choices: [], usage }).usage;

  it('that no call can have is not reported', () => {
    for (const count of [1e12 + 1, 2 ** 53 - 1, 2 ** 53, 1e308, -1, 0.5, '7'])
      expect(usageOf({ prompt_tokens: 3, completion_tokens: count, total_tokens: count })).toMatchObject({
        inputTokens: 3,
        outputTokens: null,
        totalTokens: null,
      });
    expect(usageOf({ prompt_tokens: 2 ** 53 - 1, completion_tokens: 2 ** 53 - 1 })).toBeNull();
    expect(usageOf({ prompt_tokens: 1e12, completion_tokens: 0 })?.inputTokens).toBe(1e12);
  });

  it('is kept as sent unless it is very large', () => {
    expect(usageOf({ prompt_tokens: 1, x: 'y' })?.rawJson).toBe('{"prompt_tokens":1,"x":"y"}');
    expect(usageOf({ prompt_tokens: 1, x: 'y'.repeat(3_000_000) })).toMatchObject({
      inputTokens: 1,
      rawJson: null,
    });
  });
});

const json = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown> },
  fc.constantFrom<unknown>(0.5, -1, 3e9, 1e308, 2 ** 53, 'NaN', '\ud83d', '', null, [], {}, [null], {
    toString: 1,
  }),
  fc.string({ unit: 'binary' }),
);
const record = (members: Record<string, fc.Arbitrary<unknown>>) =>
  fc.oneof({ weight: 6, arbitrary: fc.record(members, { requiredKeys: [] }) }, json);
const listOf = (entry: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 6, arbitrary: fc.array(entry, { maxLength: 4 }) as fc.Arbitrary<unknown> }, json);
const indexes = fc.oneof(json, fc.nat(3));
const texts = fc.oneof(json, fc.string());
const called = record({ name: texts, arguments: texts, input: texts });
const citation = record({ start_index: indexes, end_index: indexes, title: texts, url: texts });
const deltas = record({
  role: texts,
  content: texts,
  refusal: texts,
  tool_calls: listOf(record({ index: indexes, id: texts, type: texts, function: called, custom: called })),
  function_call: called,
  audio: record({ id: texts, data: texts, transcript: texts, expires_at: json }),
  annotations: listOf(record({ type: texts, url_citation: citation })),
  reasoning_content: texts,
  __proto__: json,
});
const details = record({ cached_tokens: json, audio_tokens: json, reasoning_tokens: json });
const chunks = record({
  id: texts,
  model: texts,
  service_tier: texts,
  system_fingerprint: texts,
  moderation: json,
  error: fc.oneof({ weight: 9, arbitrary: fc.constant(null) as fc.Arbitrary<unknown> }, json),
  choices: listOf(
    record({
      index: indexes,
      delta: deltas,
      message: deltas,
      logprobs: record({ content: listOf(json), refusal: json }),
      finish_reason: texts,
    }),
  ),
  usage: record({
    prompt_tokens: json,
    completion_tokens: json,
    total_tokens: json,
    prompt_tokens_details: details,
  }),
});

describe('any JSON anywhere in a chunk', () => {
  it('becomes records, or a failure of the closed set', () => {
    fc.assert(
      fc.property(fc.array(chunks, { minLength: 1, maxLength: 4 }), (list) => {
        const { decoder } = decode(...list);
        decoder.end();
        if (decoder.failure !== null) expect(decoder.failure).toBeInstanceOf(ChatFailure);
      }),
      { numRuns: 2_000 },
    );
  });
});
