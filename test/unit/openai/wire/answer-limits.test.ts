import { describe, expect, it } from 'vitest';
import { StreamDecoder } from '../../../../src/adapters/openai/stream/stream-decoder.ts';
import type { CompletionDelta } from '../../../../src/domain/completion/completion-delta.ts';
import { CompletionFold } from '../../../../src/domain/completion/fold-completion.ts';

const context = { provider: 'openai', model: 'gpt-4o-mini', apiKey: 'sk-test' };
const MiB = 1_048_576;

function begin() {
  const decoder = new StreamDecoder(context, 'req_1');
  const deltas: CompletionDelta[] = [];
  const send = (text: string) => {
    for (const delta of decoder.push(Buffer.from(text))?.deltas ?? []) deltas.push(delta);
  };
  return { decoder, deltas, send, sendChunk: (chunk: unknown) => send(`data: ${JSON.stringify(chunk)}\n\n`) };
}

/** Repeats a chunk until the decoder ends the answer, at most so often. */
function sendUntilEnded(text: string | ((turn: number) => string), turns: number) {
  const answer = begin();
  let turn = 0;
  for (; turn < turns && answer.decoder.failure === null; turn += 1)
    answer.send(typeof text === 'string' ? text : text(turn));
  return { ...answer, turn };
}

const chunk = (delta: object, choice: object = {}) => ({ choices: [{ index: 0, delta, ...choice }] });
const event = (delta: object, choice: object = {}) => `data: ${JSON.stringify(chunk(delta, choice))}\n\n`;
const names = (count: number, prefix = 'name') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, 1]));

const tooMuch = (what: string) => ({
  code: 'provider_error',
  retryable: false,
  providerRequestId: 'req_1',
  message: expect.stringContaining(what),
});

describe('an endless answer', () => {
  it.each([
    ['a line', 'data: x', 'x'],
    ['a line of a comment', ': x', 'x'],
    ['a line of an id', 'id: x', 'x'],
    ['an event of many lines', 'data: x\n', 'data: x\n'],
    ['an event of empty lines of data', 'data\n', 'data\n'],
    ['a JSON text', 'data: {"choices":[{"delta":{"content":"', 'é'],
  ])('as %s is ended at the limit of an event', (_, start, piece) => {
    const { decoder, send } = begin();
    send(start);
    const more = piece.repeat(Math.ceil(65_536 / piece.length));
    let sent = 0;
    while (decoder.failure === null && sent < 64 * MiB) {
      send(more);
      sent += more.length;
    }
    expect(decoder.failure).toMatchObject(tooMuch('characters in one event'));
    expect(sent).toBeLessThan(32 * MiB);
    // It stays ended: later bytes are not read.
    expect(decoder.push(Buffer.from(`\n\n${event({ content: 'x' })}`))).toBeNull();
  });

  it.each([
    ['comments', ': keep-alive\n\n'],
    ['empty events', 'data: {"choices":[]}\n\n'],
    ['empty deltas', event({})],
    ['blank lines', '\n\n'],
  ])('of %s is ended when no part of the answer has come for too long', (_, nothing) => {
    const { decoder, send } = begin();
    const many = nothing.repeat(Math.ceil(65_536 / nothing.length));
    for (let count = 0; count < 8; count += 1) send(many);
    send(event({ content: 'still there' }));
    for (let count = 0; count < 8; count += 1) send(many);
    expect(decoder.failure).toBeNull();
    for (let count = 0; count < 10; count += 1) send(many);
    expect(decoder.failure).toMatchObject(tooMuch('carry nothing of the answer'));
  });

  it.each([
    ['text', { content: 'x'.repeat(MiB) }],
    ['text of two characters', { content: '東京'.repeat(MiB / 2) }],
    ['a refusal', { refusal: 'x'.repeat(MiB) }],
    ['arguments', { tool_calls: [{ index: 0, function: { arguments: 'x'.repeat(MiB) } }] }],
    ['audio', { audio: { data: 'AAAA'.repeat(MiB / 4) } }],
    ['a transcript', { audio: { transcript: 'x'.repeat(MiB) } }],
    ['an unknown member', { reasoning_content: 'x'.repeat(MiB) }],
    ['an unknown list', { steps: ['x'.repeat(MiB)] }],
  ])('of %s is ended at the limit of an answer', (_, delta) => {
    const { decoder, deltas } = sendUntilEnded(event(delta), 64);
    expect(decoder.failure).toMatchObject(tooMuch('bytes in one answer'));
    const fold = new CompletionFold();
    for (const one of deltas) fold.add(one);
    expect(fold.bytes).toBeGreaterThan(4 * MiB);
    expect(fold.bytes).toBeLessThan(34 * MiB);
  });

  it('of members that change in events without a piece is ended at the limit of an answer', () => {
    const many = 'x'.repeat(MiB / 2);
    const { decoder, turn } = sendUntilEnded(
      (count) => `data: ${JSON.stringify({ choices: [], progress: `${count}${many}` })}\n\n`,
      64,
    );
    expect(decoder.failure).toMatchObject(tooMuch('bytes in one answer'));
    expect(turn).toBe(32);
  });

  it('of log probabilities is ended at the limit of an answer', () => {
    const entry = { token: 'x'.repeat(1_000), logprob: -1, bytes: null };
    const logprobs = { content: Array.from({ length: 1_000 }, () => entry), refusal: null };
    const { decoder } = sendUntilEnded(event({}, { logprobs }), 64);
    expect(decoder.failure).toMatchObject(tooMuch('bytes in one answer'));
  });

  it.each([
    ['tool calls', (turn: number) => event({ tool_calls: [{ id: `call_${turn}` }] })],
    ['annotations', () => event({ annotations: [{ type: 'url_citation', url_citation: {} }] })],
    ['unknown members', (turn: number) => event({ [`name${turn}`]: 1 })],
    ['unknown members', (turn: number) => event({}, { logprobs: { [`name${turn}`]: [] } })],
  ])('of too many %s is ended at their limit', (what, text) => {
    const { decoder, turn } = sendUntilEnded(text, 5_000);
    expect(decoder.failure).toMatchObject(tooMuch(what));
    expect(turn).toBeGreaterThan(100);
    expect(turn).toBeLessThan(1_100);
  });
});

describe('one event', () => {
  it.each([
    ['choices', { choices: Array.from({ length: 129 }, () => ({ delta: { content: 'x' } })) }],
    ['choices', { choices: Array.from({ length: 50_000 }, () => null) }],
    ['tool calls', chunk({ tool_calls: Array.from({ length: 257 }, () => ({})) })],
    ['unknown members', chunk(names(257))],
    ['characters in the name', chunk({ ['n'.repeat(100_000)]: 1 })],
    ['JSON values', chunk({ steps: Array.from({ length: 500_000 }, () => 1) })],
    ['JSON values', chunk({ steps: names(200_000) })],
    ['JSON values', { choices: [], usage: { prompt_tokens: 1, more: names(200_000) } }],
    ['characters in one log probability', chunk({}, { logprobs: { content: [{ token: 'x'.repeat(MiB) }] } })],
  ])('of too many %s ends the answer', (what, one) => {
    const { decoder, deltas, send, sendChunk } = begin();
    send(event({ content: 'before' }));
    sendChunk(one);
    expect(decoder.failure).toMatchObject(tooMuch(what));
    expect(deltas.map(({ content }) => content)).toEqual(['before']);
  });

  it.each([
    ['an unknown member', (deep: string) => `{"choices":[{"delta":{"x":${deep}}}]}`],
    ['log probabilities', (deep: string) => `{"choices":[{"logprobs":{"content":${deep}}}]}`],
    ['annotations', (deep: string) => `{"choices":[{"delta":{"annotations":${deep}}}]}`],
    ['an index', (deep: string) => `{"choices":[{"index":${deep},"delta":{"content":"x"}}]}`],
    ['usage', (deep: string) => `{"choices":[],"usage":{"prompt_tokens":1,"x":${deep}}}`],
    ['moderation', (deep: string) => `{"choices":[],"moderation":{"x":${deep}}}`],
    ['an error', (deep: string) => `{"error":{"message":${deep}}}`],
  ])('with deeply nested %s ends the answer', (_, text) => {
    const { decoder, send } = begin();
    send(`data: ${text(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)}\n\n`);
    expect(decoder.failure).toMatchObject(tooMuch('levels of JSON'));
  });

  it('reports usage even when the rest of it exceeds a limit', () => {
    const decoder = new StreamDecoder(context, null);
    const choices = Array.from({ length: 200 }, () => ({}));
    const usage = { prompt_tokens: 5, completion_tokens: 6 };
    const events = decoder.push(Buffer.from(`data: ${JSON.stringify({ choices, usage })}\n\n`));
    expect(events?.usage).toMatchObject({ inputTokens: 5, outputTokens: 6 });
    expect(decoder.failure?.code).toBe('provider_error');
  });
});

describe('a large answer within the limits', () => {
  it('passes: 4 MB of text or audio in one piece, and brackets in a text do not count as nesting', () => {
    const { decoder, deltas, send } = begin();
    send(event({ content: '[{'.repeat(2_000_000) }));
    send(event({ audio: { data: Buffer.alloc(3_000_000, 1).toString('base64') } }));
    send(event({}, { finish_reason: 'stop' }));
    expect(decoder.failure).toBeNull();
    expect(deltas[0]?.content).toHaveLength(4_000_000);
    expect(deltas[1]?.audio?.data).toHaveLength(3_000_000);
  });

  it('has its log probabilities and annotations in pieces that fit into a chunk and add up', () => {
    const entries = Array.from({ length: 2_000 }, (_, index) => ({
      token: 'x'.repeat(500),
      logprob: index,
    }));
    const logprobs = { content: entries, refusal: null, other: 5 };
    const url_citation = { start_index: 1, end_index: 2, title: 't'.repeat(2_000), url: 'u' };
    const annotations = Array.from({ length: 600 }, () => ({ type: 'url_citation', url_citation }));
    const { decoder, deltas, send } = begin();
    send(event({ content: 'x', annotations }, { logprobs, finish_reason: 'stop' }));
    expect(decoder.failure).toBeNull();
    const sizes = deltas.map((one) => (one.logprobsJson?.length ?? 0) + (one.annotationsJson?.length ?? 0));
    expect(Math.max(...sizes)).toBeLessThan(600_000);
    const fold = new CompletionFold();
    for (const delta of deltas) fold.add(delta);
    const [choice] = fold.result();
    expect(JSON.parse(choice?.logprobsJson ?? '')).toEqual(logprobs);
    expect(choice?.annotations).toHaveLength(600);
  });

  it('yields nothing and takes no memory when its chunks are empty', () => {
    const { decoder, deltas } = sendUntilEnded(event({}).repeat(500), 30);
    expect(decoder.failure).toBeNull();
    expect(deltas).toEqual([]);
  });
});
