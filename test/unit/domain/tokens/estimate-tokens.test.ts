import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTokenCounter } from '../../../../src/adapters/tokenizer/token-counter.ts';
import type { ChatRequest, ContentPart, Tool, ToolCall } from '../../../../src/contract/record-types.ts';
import {
  estimateInput,
  estimateOutput,
  estimateTextTokens,
} from '../../../../src/domain/tokens/estimate-tokens.ts';
import { tokenRules } from '../../../../src/domain/tokens/token-rules.ts';
import type { TokenCounter } from '../../../../src/ports/tokens.ts';
import { sampleMessage, sampleRequest } from '../../../support/fakes/sample-request.ts';

/** One token for each started group of four characters. */
const byFour = (text: string) => Math.ceil(text.length / 4);
const { images } = tokenRules('gpt-4o');
const estimate = (members: Partial<ChatRequest>) => estimateInput(sampleRequest(members), images, byFour);

const noPart: ContentPart = {
  type: 'text',
  text: null,
  url: null,
  data: null,
  mediaType: null,
  format: null,
  detail: null,
  fileId: null,
  fileName: null,
  cacheBreakpoint: null,
  extraJson: null,
};
const part = (members: Partial<ContentPart>) => ({ ...noPart, ...members });
const call = (members: Partial<ToolCall>): ToolCall => ({
  id: 'call_1',
  type: 'function',
  name: 'abcd',
  arguments: '{"a":12}',
  valid: null,
  problems: [],
  extraJson: null,
  ...members,
});
const tool = (members: Partial<Tool>): Tool => ({
  type: 'function',
  name: 'abcd',
  description: null,
  parametersJson: null,
  strict: null,
  grammarSyntax: null,
  grammarDefinition: null,
  extraJson: null,
  ...members,
});
const withParts = (...parts: ContentPart[]) =>
  estimate({ messages: [sampleMessage({ content: null, parts })] });

describe('estimateTextTokens', () => {
  it('counts one token for each started group of four bytes', () => {
    expect([0, 1, 4, 5].map(estimateTextTokens)).toEqual([0, 1, 1, 2]);
  });
});

describe('the provider’s published examples', () => {
  let counter: TokenCounter;
  beforeAll(async () => {
    counter = await createTokenCounter();
  });
  const totalFor = (model: string, members: Partial<ChatRequest>) => {
    const rules = tokenRules(model);
    return estimateInput(
      sampleRequest(members),
      rules.images,
      counter.counting(rules.encoding, { exact: true }),
    ).total;
  };

  const jargon = [
    ['You are a helpful, pattern-following assistant that translates corporate jargon into plain English.'],
    ['New synergies will help drive top-line growth.', 'example_user'],
    ['Things working well together will increase revenue.', 'example_assistant'],
    [
      "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
      'example_user',
    ],
    ["Let's talk later when we're less busy about how to do better.", 'example_assistant'],
  ].map(([content = '', name]) => sampleMessage({ role: 'system', content, name: name ?? null }));
  const lastWords = "This late pivot means we don't have time to boil the ocean for the client deliverable.";

  it.each([
    ['gpt-3.5-turbo', 129],
    ['gpt-4-0613', 129],
    ['gpt-4', 129],
    ['gpt-4o', 124],
    ['gpt-4o-mini', 124],
  ])('count messages with names for %s', (model, tokens) => {
    expect(totalFor(model, { messages: [...jargon, sampleMessage({ content: lastWords })] })).toBe(tokens);
  });

  const weather = tool({
    name: 'get_current_weather',
    description: 'Get the current weather in a given location',
    parametersJson: JSON.stringify({
      type: 'object',
      properties: {
        location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
        unit: {
          type: 'string',
          description: 'The unit of temperature to return',
          enum: ['celsius', 'fahrenheit'],
        },
      },
      required: ['location'],
    }),
  });

  it.each([
    ['gpt-3.5-turbo', 105],
    ['gpt-4', 105],
    ['gpt-4o', 101],
    ['gpt-4o-mini', 101],
  ])('count tools for %s', (model, tokens) => {
    const content = 'You are a helpful assistant that can answer to questions about the weather.';
    const messages = [
      sampleMessage({ role: 'system', content }),
      sampleMessage({ content: "What's the weather like in San Francisco?" }),
    ];
    expect(totalFor(model, { messages, tools: [weather] })).toBe(tokens);
  });
});

describe('estimateInput', () => {
  it('counts the overhead of an empty conversation', () => {
    expect(estimate({ messages: [] }).total).toBe(3);
    expect(estimate({ messages: [sampleMessage({ content: '' })] }).total).toBe(7);
  });

  it('counts texts, names and calls as messages, and their framing as overhead', () => {
    const messages = [
      sampleMessage({ content: '1234', name: 'user' }),
      sampleMessage({ content: null, parts: [part({ text: '12345678' })] }),
      sampleMessage({ role: 'assistant', content: null, refusal: 'nope', toolCalls: [call({})] }),
    ];
    expect(estimate({ messages })).toMatchObject({
      messages: 1 + 1 + 2 + 1 + 1 + 2,
      overhead: 3 * 4 + 1 + 3 + 3,
      tools: 0,
      images: 0,
      audio: 0,
    });
  });

  it('counts a definition as rendered, bounded by the longer of the rendered and the given text', () => {
    const described = tool({
      parametersJson: JSON.stringify({ type: 'object', anyOf: [{ const: 'x'.repeat(400) }] }),
    });
    const { tools, atLeast, atMost, total } = estimate({ tools: [described] });
    expect(tools).toBe(byFour('namespace functions {\n\ntype abcd = () => any;\n\n} // namespace functions'));
    expect(atLeast).toBe(total);
    expect(Number(atMost) - total).toBe(byFour(`abcd\n${described.parametersJson}`) - tools);
  });

  it('puts tools into the system message', () => {
    const system = (content: string | null) => sampleMessage({ role: 'developer', content });
    const overheadWith = (content: string | null, tools: Tool[]) =>
      estimate({ messages: [system(content)], tools }).overhead;
    expect(overheadWith('Be brief.', [])).toBe(7);
    expect(overheadWith('Be brief', [tool({})])).toBe(7 + 9 - 4 + 1);
    expect(overheadWith('Be brief.', [tool({})])).toBe(7 + 9 - 4);
    expect(overheadWith('Be brief.\n', [tool({})])).toBe(7 + 9 - 4);
    expect(overheadWith(null, [tool({})])).toBe(7 + 9 - 4);
    expect(estimate({ tools: [tool({})] }).overhead).toBe(7 + 9);
  });

  it.each([
    ['none', [], 1],
    ['auto', [], 0],
    ['tool', [{ type: 'function', name: 'abcd' }], 5],
  ])('counts the choice %s', (mode, tools, more) => {
    const plain = estimate({}).overhead;
    expect(estimate({ toolChoice: { mode, allowedMode: null, tools } }).overhead).toBe(plain + more);
  });

  it('counts the schema of the answer with the tools', () => {
    const responseFormat = {
      type: 'json_schema',
      name: 'abcd',
      description: null,
      schemaJson: '{"a":12}',
      strict: null,
    };
    expect(estimate({ responseFormat }).tools).toBe(3);
    expect(estimate({ responseFormat: { ...responseFormat, name: null, schemaJson: null } }).tools).toBe(0);
  });

  const png = (width: number, height: number) => {
    const file = Buffer.alloc(24);
    file.write('\u0089PNG', 'latin1');
    file.writeUInt32BE(width, 16);
    file.writeUInt32BE(height, 20);
    return file;
  };

  /** An image of 1,024 x 1,024 pixels, after so many previews of so many bytes. */
  const jpegWithPreview = (bytes: number, previews = 1) => {
    const preview = Buffer.alloc(2 + bytes);
    preview.writeUInt16BE(0xffe1);
    preview.writeUInt16BE(bytes, 2);
    const frame = Buffer.from('ffc0001108040004000300', 'hex');
    const file = Buffer.concat([Buffer.from('ffd8', 'hex'), ...Array(previews).fill(preview), frame]);
    return `data:image/jpeg;base64,${file.toString('base64')}`;
  };

  it.each([
    ['bytes', { data: png(1_024, 1_024) }, 765],
    ['a data URL', { url: `data:image/png;base64,${png(2_048, 4_096).toString('base64')}` }, 1_105],
    ['its URL, as the largest', { url: 'https://example.com/a.png' }, 1_445],
    ['a data URL of a file with a preview before its size', { url: jpegWithPreview(30_000) }, 765],
    ['a data URL whose preview is too long, as the largest', { url: jpegWithPreview(65_000, 3) }, 1_445],
    ['an invalid data URL, as the largest', { url: 'data:image/png;base64,%%%%' }, 1_445],
    ['nothing, as the largest', {}, 1_445],
  ])('counts an image by %s', (_how, members, tokens) => {
    expect(withParts(part({ type: 'image_url', detail: 'high', ...members })).images).toBe(tokens);
  });

  it('has bounds for an image that only the provider fetches', () => {
    const url = 'https://example.com/a.png';
    const { total, atLeast, atMost } = withParts(part({ type: 'image_url', url }));
    expect([atLeast, total, atMost]).toEqual([7 + 85, 7 + 1_445, 7 + 1_445]);
  });

  it('has bounds for audio by the length of its data', () => {
    const { audio, audioAtMost, total, atLeast, atMost } = withParts(
      part({ type: 'input_audio', format: 'mp3', data: new Uint8Array(40_000) }),
    );
    expect({ audio, audioAtMost }).toEqual({ audio: 50, audioAtMost: 400 });
    expect([atLeast, total, atMost]).toEqual([7 + 10, 7 + 50, 7 + 400]);
  });

  it('has no upper bound for a file or an earlier audio answer', () => {
    expect(withParts(part({ type: 'file', fileId: 'file-1' })).atMost).toBeNull();
    expect(estimate({ messages: [sampleMessage({ audioId: 'audio_1' })] }).atMost).toBeNull();
  });

  it('stays within its bounds, and grows with every message', () => {
    const parts = fc.record({
      type: fc.constantFrom('text', 'image_url', 'input_audio'),
      text: fc.option(fc.string({ unit: 'binary' })),
      url: fc.option(fc.constantFrom('https://a.b/c', 'data:image/png;base64,iVBORw0KGgo=')),
      data: fc.option(fc.uint8Array({ maxLength: 90 })),
      detail: fc.option(fc.constantFrom('low', 'high', 'auto', 'original', 'other')),
    });
    const messages = fc.array(
      fc.record({ content: fc.option(fc.string()), parts: fc.array(parts.map(part)) }).map(sampleMessage),
    );
    const tools = fc.array(fc.record({ name: fc.string(), parametersJson: fc.option(fc.json()) }).map(tool));
    const models = fc.constantFrom('gpt-4', 'gpt-4.1-mini', 'gpt-5', 'another');
    fc.assert(
      fc.property(messages, tools, models, (some, defined, model) => {
        const rule = tokenRules(model).images;
        const estimate = estimateInput(sampleRequest({ messages: some, tools: defined }), rule, byFour);
        const fewer = estimateInput(sampleRequest({ messages: some.slice(1), tools: defined }), rule, byFour);
        expect(estimate.atLeast).toBeGreaterThanOrEqual(3);
        expect(estimate.total).toBeGreaterThanOrEqual(estimate.atLeast);
        expect(estimate.atMost).toBeGreaterThanOrEqual(estimate.total);
        expect(estimate.total).toBeGreaterThanOrEqual(fewer.total);
      }),
    );
  });
});

describe('estimateOutput', () => {
  const choice = {
    index: 0,
    content: null,
    refusal: null,
    toolCalls: [],
    audio: null,
    annotations: [],
    finishReason: null,
    logprobsJson: null,
    problems: [],
    extraJson: null,
  };

  it('is zero for an empty answer', () => {
    expect(estimateOutput([], byFour)).toBe(0);
    expect(estimateOutput([choice], byFour)).toBe(0);
  });

  it.each([
    ['text', { content: '12345' }, 2],
    ['refusals', { refusal: '1234' }, 1],
    ['calls', { toolCalls: [call({}), call({ name: '', arguments: '' })] }, 3],
    ['transcripts', { audio: { id: 'a', data: null, transcript: '12345', expiresAt: null } }, 2],
    ['other texts', { extraJson: '{"reasoning_content":"12345678","index":7}' }, 2],
  ])('counts %s', (_what, members, tokens) => {
    expect(estimateOutput([{ ...choice, ...members }, choice], byFour)).toBe(tokens);
  });
});
