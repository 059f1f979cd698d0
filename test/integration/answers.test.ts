import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, ExchangeWorld, events } from '../support/exchanges/exchange-world.ts';

let world: ExchangeWorld;

beforeAll(async () => {
  world = await ExchangeWorld.start();
});
afterAll(() => world?.close());

const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
const piece = (delta: object, choice: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'gpt-4o-mini-2024-07-18',
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
});
const stop = piece({}, { finish_reason: 'stop' });
const reported = { id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [], usage };

describe('a usual answer', () => {
  const stream: Exchange = {
    answer: {
      body: events(
        piece({ role: 'assistant', content: 'Grüße' }),
        piece({ content: ' 🗼' }),
        stop,
        reported,
        '[DONE]',
      ),
    },
  };
  const whole: Exchange = {
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] },
    answer: {
      body: JSON.stringify(
        {
          id: 'chatcmpl-1',
          model: 'gpt-4o-mini-2024-07-18',
          choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße 🗼' }, finish_reason: 'stop' }],
          usage,
        },
        null,
        1,
      ),
    },
  };
  it.each([
    ['as a stream', stream],
    ['not streamed', whole],
  ])('arrives %s', async (_, exchange) => {
    for (const { way, response, text, cost, calls } of await world.runEachWay(exchange)) {
      expect([way, response.status, text, calls.length]).toEqual([way, 'COMPLETED', 'Grüße 🗼', 1]);
      expect(response.choices).toMatchObject([{ content: 'Grüße 🗼', finishReason: 'stop' }]);
      expect(response.usage).toMatchObject({ inputTokens: 9, outputTokens: 2, confidence: 'PROVIDER' });
      expect(cost).toMatchObject({ costStatus: 'PRICED', calls: [{ attempt: 1 }] });
      expect(calls[0]?.body).toMatchObject({ model: 'gpt-4o-mini', stream: true });
    }
  });
});
