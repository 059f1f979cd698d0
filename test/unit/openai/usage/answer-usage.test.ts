import { describe, expect, it } from 'vitest';
import type { ReportedUsage } from '../../../../src/domain/cost/usage.ts';
import { decodeReads } from '../../../support/recorded-streams.ts';

/** The last usage of a stream of these chunks, in one read, byte by byte, and with CRLF. */
function lastUsage(...chunks: readonly object[]): ReportedUsage | null {
  const events = [...chunks.map((chunk) => JSON.stringify(chunk)), '[DONE]'];
  const text = (end: string) => events.map((event) => `data: ${event}${end}${end}`).join('');
  const decoded = [
    [Buffer.from(text('\n'))],
    [...Buffer.from(text('\n'))].map((byte) => Buffer.of(byte)),
    [Buffer.from(text('\r\n'))],
  ].map((pieces) => decodeReads(pieces).reads.findLast(({ usage }) => usage !== null)?.usage ?? null);
  expect(decoded[1]).toEqual(decoded[0]);
  expect(decoded[2]).toEqual(decoded[0]);
  return decoded[0] ?? null;
}

const text = (members: object = {}) => ({
  id: 'c1',
  model: 'm',
  choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: null }],
  ...members,
});
const end = (members: object = {}, ofChoice: object = {}) => ({
  id: 'c1',
  model: 'm',
  choices: [{ index: 0, delta: {}, finish_reason: 'stop', ...ofChoice }],
  ...members,
});
const real = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const counted = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };

describe('the usage of an answer', () => {
  it.each([
    ['an empty usage', {}],
    ['zeros', zeros],
    ['null', null],
    ['a list', []],
    ['a total alone', { total_tokens: 15 }],
  ])('is not replaced by %s', (_what, usage) => {
    expect(lastUsage(text(), end({ usage: real }), { choices: [], usage })).toMatchObject(counted);
    expect(lastUsage(text({ usage: real }), end({ usage }))).toMatchObject(counted);
  });

  it('is the last one that has counts', () => {
    const soFar = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 };
    expect(lastUsage(text({ usage: zeros }), text({ usage: soFar }), end({ usage: real }))).toMatchObject(
      counted,
    );
  });

  it('is zero when nothing else was reported', () => {
    expect(lastUsage(text(), end({ usage: zeros }))).toMatchObject({ inputTokens: 0, outputTokens: 0 });
  });

  it('is found in the choice (Moonshot) and in x_groq (Groq)', () => {
    expect(lastUsage(text(), end({}, { usage: real }))).toMatchObject(counted);
    expect(lastUsage(text(), end({ x_groq: { id: 'req_1', usage: real } }))).toMatchObject(counted);
  });

  it('is that of the chunk when several places have one', () => {
    const other = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const chunk = end({ usage: real, x_groq: { usage: other } }, { usage: other });
    expect(lastUsage(text(), chunk)).toMatchObject(counted);
    const empty = end({ usage: {}, x_groq: { usage: zeros } }, { usage: real });
    expect(lastUsage(text(), empty)).toMatchObject(counted);
  });

  it('has both sides when the prompt is reported first and the answer last', () => {
    const prompt = { prompt_tokens: 10, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 4 } };
    const answer = { prompt_tokens: 0, completion_tokens: 5, total_tokens: 5 };
    expect(lastUsage(text({ usage: prompt }), end({ usage: answer }))).toMatchObject({
      inputTokens: 10,
      cachedInputTokens: 4,
      outputTokens: 5,
      totalTokens: null,
    });
  });

  it('keeps details that a later one with the same counts leaves out', () => {
    const detailed = {
      ...{ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 3 },
    };
    const plain = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    const details = { inputTokens: 10, cachedInputTokens: 4, outputTokens: 5, reasoningTokens: 3 };
    expect(lastUsage(text({ usage: detailed }), end({ usage: plain }))).toMatchObject(details);
    // One chunk with both, as Groq's and Moonshot's are.
    expect(lastUsage(text(), end({ usage: plain, x_groq: { usage: detailed } }))).toMatchObject(details);
    expect(lastUsage(text(), end({ usage: plain }, { usage: detailed }))).toMatchObject(details);
    // What it reports itself holds, and so does a side with another count.
    const own = { ...plain, prompt_tokens_details: { cached_tokens: 0 } };
    expect(lastUsage(text({ usage: detailed }), end({ usage: own }))).toMatchObject({ cachedInputTokens: 0 });
    const more = { prompt_tokens: 10, completion_tokens: 7, total_tokens: 17 };
    expect(lastUsage(text({ usage: detailed }), end({ usage: more }))).toMatchObject({
      cachedInputTokens: 4,
      outputTokens: 7,
      reasoningTokens: null,
    });
  });
});
