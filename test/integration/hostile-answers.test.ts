import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { History } from '../support/history.ts';
import type { Script } from '../support/stand-in/script.ts';
import type { Worker } from '../support/worker.ts';
import { request, World } from '../support/world.ts';

/** Far below the memory that one large answer took without limits. */
const MOST_MEMORY_KIB = 700 * 1_024;

let world: World;
let worker: Worker;
let history: History;

beforeAll(async () => {
  world = await World.create();
  worker = await world.startWorker();
  history = await world.readHistory();
});

afterAll(() => world?.close());

const event = (chunk: object) => `data: ${JSON.stringify(chunk)}\n\n`;
const piece = (delta: object, choice: object = {}) => ({ choices: [{ index: 0, delta, ...choice }] });
const before = event(piece({ role: 'assistant', content: 'before' }));
const end = `${event(piece({}, { finish_reason: 'stop' }))}data: [DONE]\n\n`;
const usage = (members: object) => event({ choices: [], usage: members });
const answer = (...chunks: object[]): Script => ({ raw: raw(chunks.map(event).join('')) });
const raw = (start: string, more: Partial<Script['raw']> = {}) => ({
  start,
  end: '',
  contentType: 'text/event-stream',
  ...more,
});
const finished = (...chunks: object[]): Script => answer(...chunks, piece({}, { finish_reason: 'stop' }));
const call = (index: unknown, id?: string) => ({
  tool_calls: [{ index, id, function: { name: 'f', arguments: '1' } }],
});
const citation = { start_index: 0.5, end_index: 1e308, title: {}, url: 'u'.repeat(100_000) };

/** Odd but complete answers. */
const odd: Record<string, Script> = {
  'choice-0.5': finished(
    piece({ content: 'x' }, { index: 0.5 }),
    piece({}, { index: 0.5, finish_reason: 'stop' }),
  ),
  'choice-text': finished(piece({ content: 'x' }, { index: 'NaN' })),
  'call-3e9': finished(piece(call(3e9, 'a')), piece(call(3e9))),
  'call-1e308': finished(piece(call(1e308, 'a')), piece(call(-1, 'b'))),
  'call-id': finished(piece(call(0, 'i'.repeat(200_000)))),
  expires: finished(
    piece({ audio: { id: 'a', expires_at: 1.0005 } }),
    piece({ audio: { expires_at: 1e308 } }),
  ),
  annotations: finished(piece({ content: 'x', annotations: [null, 'x', [], { url_citation: citation }] })),
  usage: {
    raw: raw(`${before}${usage({ prompt_tokens: 2 ** 53 - 1, completion_tokens: 2 ** 53 - 1 })}${end}`),
  },
  'usage-large': {
    raw: raw(`${before}${usage({ prompt_tokens: 3, completion_tokens: 4, x: 'x'.repeat(200_000) })}${end}`),
  },
  'response-id': {
    raw: raw('data: {"choices":[],"id":"', { repeated: 'i', bytes: 3_000_000, end: `"}\n\n${before}${end}` }),
  },
  surrogates: finished(piece({ role: '\ud83d', content: '\ud83d', refusal: '\ude00' })),
};

/** Answers that end at a limit. */
const large: Record<string, Script> = {
  line: { raw: raw(`${before}data: `, { repeated: 'x' }) },
  comment: { raw: raw(`${before}:`, { repeated: 'x' }) },
  event: { raw: raw(before, { repeated: `data: ${'x'.repeat(100)}\n` }) },
  'empty-lines': { raw: raw(before, { repeated: 'data\n' }) },
  delta: {
    raw: raw(`${before}data: {"choices":[{"delta":{"content":"`, {
      repeated: 'x',
      bytes: 100_000_000,
      end: `"}}]}\n\n${end}`,
    }),
  },
  chunks: { raw: raw(before, { repeated: event(piece({ content: 'x'.repeat(20_000) })) }) },
  'whole-text': {
    raw: raw('{"choices":[{"message":{"content":"', { repeated: 'x', contentType: 'application/json' }),
  },
  nested: {
    raw: raw(`${before}data: {"choices":[{"delta":{"x":`, { repeated: '[', bytes: 1_000_000, end: '\n\n' }),
  },
};

test('an odd answer gets one response and one bill, and its chunks are readable', async () => {
  const names = Object.keys(odd);
  await world.publish(names.map((name) => request(`odd-${name}`, { script: odd[name] as Script })));
  for (const name of names) {
    const response = await history.untilAnswerTo(`odd-${name}`);
    expect([name, response.status, response.error?.message]).toEqual([name, 'COMPLETED', undefined]);
  }
  expectOneOutcomeEach(names.map((name) => `odd-${name}`));
  expect((await history.untilAnswerTo('odd-call-3e9')).choices[0]?.toolCalls).toMatchObject([
    { id: 'a', arguments: '11' },
  ]);
  expect((await history.untilAnswerTo('odd-call-1e308')).choices[0]?.toolCalls).toMatchObject([
    { id: 'a' },
    { id: 'b' },
  ]);
  const cost = history.costs.find(({ value }) => value.requestId === 'odd-usage')?.value;
  expect(cost).toMatchObject({ costStatus: 'PRICED', usage: { confidence: 'ESTIMATED' } });
});

test('an endless answer is one call, one failure and one bill, and others are answered meanwhile', async () => {
  const names = Object.keys(large);
  const others = Array.from({ length: 30 }, (_, index) => `other-${index}`);
  await world.publish([
    // Without chunks, to test only the reading.
    ...names.map((name) => request(`large-${name}`, { script: large[name] as Script, stream: false })),
    ...others.map((name) => request(name, { script: { tokens: 20, gapMs: 5 } })),
  ]);
  for (const name of names) {
    const response = await history.untilAnswerTo(`large-${name}`);
    expect(response).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      error: { code: 'provider_error', retryable: false },
    });
    expect(response.error?.message).toContain('sent more than');
  }
  for (const name of others) expect((await history.untilAnswerTo(name)).status).toBe('COMPLETED');
  expectOneOutcomeEach([...names.map((name) => `large-${name}`), ...others]);
  const calls = await world.standIn.calls();
  for (const name of names)
    expect(calls.filter(({ requestId }) => requestId === `large-${name}`)).toHaveLength(1);
  for (const name of ['line', 'delta', 'chunks']) {
    const bill = history.costs.find(({ value }) => value.requestId === `large-${name}`)?.value;
    expect(bill?.usage?.outputTokens).toBeGreaterThan(0);
  }
});

test('memory stayed below a limit, and the worker never restarted', () => {
  const status = readFileSync(`/proc/${worker.pid}/status`, 'utf8');
  const peakKiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
  expect(peakKiB).toBeGreaterThan(0);
  expect(peakKiB).toBeLessThan(MOST_MEMORY_KIB);
});

function expectOneOutcomeEach(ids: readonly string[]): void {
  const count = (events: readonly { value: { requestId: string } }[], id: string) =>
    events.filter(({ value }) => value.requestId === id).length;
  for (const id of ids)
    expect([id, count(history.responses, id), count(history.costs, id)]).toEqual([id, 1, 1]);
}
