import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExchangeWorld, events, type Outcome, type Way } from '../support/exchanges/exchange-world.ts';

let world: ExchangeWorld;

beforeAll(async () => {
  world = await ExchangeWorld.start();
});
afterAll(() => world?.close());

const MODEL = 'gpt-4o-mini-2024-07-18';
const text = (model = MODEL, members: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model,
  choices: [{ index: 0, delta: { role: 'assistant', content: 'Hi' }, finish_reason: null }],
  ...members,
});
const stop = (model = MODEL, members: object = {}, choice: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model,
  choices: [{ index: 0, delta: {}, finish_reason: 'stop', ...choice }],
  ...members,
});
const reported = (usage: object | null, model = MODEL) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model,
  choices: [],
  usage,
});
const real = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

/** The outcomes of one stream of chunks, whole, byte by byte and with CRLF. */
function run(...chunks: readonly (object | string)[]): Promise<readonly (Outcome & { way: Way })[]> {
  return world.runEachWay({ answer: { body: events(...chunks, '[DONE]') } });
}

describe('reported usage', () => {
  it.each([
    ['100 in and 50 out', [text(), stop(), reported(real)], '0.000045'],
    [
      'reasoning beside the completion (xAI)',
      [
        text(),
        stop(),
        reported({ ...real, total_tokens: 190, completion_tokens_details: { reasoning_tokens: 40 } }),
      ],
      '0.000069',
    ],
    [
      'reasoning that only the total shows (Gemini)',
      [text(), stop(), reported({ ...real, total_tokens: 190 })],
      '0.000069',
    ],
    ['zeros after it', [text(), stop(MODEL, { usage: real }), reported(zeros)], '0.000045'],
    ['an empty object after it', [text(), stop(MODEL, { usage: real }), reported({})], '0.000045'],
    [
      'a place in the choice (Moonshot)',
      [text(), stop(MODEL, {}, { usage: { ...real, cached_tokens: 40 } })],
      '0.000042',
    ],
    ['a place in x_groq (Groq)', [text(), stop(MODEL, { x_groq: { id: 'req_1', usage: real } })], '0.000045'],
    [
      'cached tokens of DeepSeek',
      [text(), stop(), reported({ ...real, prompt_cache_hit_tokens: 40, prompt_cache_miss_tokens: 60 })],
      '0.000042',
    ],
  ])('with %s is billed by its sum', async (_what, chunks, cost) => {
    for (const { way, response, cost: event } of await run(...chunks)) {
      expect([way, response.status, response.cost]).toEqual([way, 'COMPLETED', cost]);
      expect(event).toMatchObject({ costStatus: 'PRICED', totalCost: cost, calls: [{ amount: cost }] });
      expect(response.warnings).toEqual([]);
    }
  });

  it('that does not add up leaves the call unpriced, with the reason and the provider’s usage', async () => {
    const odd = { ...real, total_tokens: 149 };
    for (const { response, cost } of await run(text(), stop(), reported(odd))) {
      expect(response).toMatchObject({ status: 'COMPLETED', costStatus: 'UNPRICED', cost: null });
      expect(cost).toMatchObject({
        calls: [{ unpricedReason: 'invalid_usage', usage: { rawJson: JSON.stringify(odd) } }],
      });
    }
  });
});

describe('the provider’s own cost', () => {
  it('is recorded on the call, and a difference is a warning', async () => {
    for (const { response, cost } of await run(text(), stop(), reported({ ...real, cost: 0.00009 }))) {
      expect(cost).toMatchObject({ totalCost: '0.000045', calls: [{ reportedCost: '0.00009' }] });
      expect(response.warnings).toMatchObject([{ code: 'cost_differs' }]);
    }
  });
});

describe('a reported model without a price', () => {
  it('is billed as the requested model, and event and response say so', async () => {
    const name = 'my-deployment';
    for (const { response, cost } of await run(text(name), stop(name), reported(real, name))) {
      expect(response).toMatchObject({ model: name, cost: '0.000045' });
      expect(response.warnings).toMatchObject([{ code: 'priced_as_requested' }]);
      expect(cost).toMatchObject({
        calls: [{ model: name, requestedModel: 'gpt-4o-mini', pricedModel: 'gpt-4o-mini' }],
      });
    }
  });
});
