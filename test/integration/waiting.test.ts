import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExchangeWorld, events } from '../support/exchanges/exchange-world.ts';

const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
const answered = {
  body: events(
    { id: 'chatcmpl-1', choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }] },
    { id: 'chatcmpl-1', choices: [], usage },
    '[DONE]',
  ),
};
/** It opens the answer and goes on thinking. */
const silent = {
  body: events({ id: 'chatcmpl-1', choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] }),
  ending: 'open',
} as const;

let exchanges: ExchangeWorld;
beforeAll(async () => {
  exchanges = await ExchangeWorld.start({
    AI_OPENAI_FIRST_TOKEN_TIMEOUT: '1s',
    AI_OPENAI_SLOW_FIRST_TOKEN_TIMEOUT: '1s',
    AI_OPENAI_OUTAGE: 'wait',
  });
});
afterAll(() => exchanges?.close());

describe('an answer that is not waited for any longer', () => {
  it('is asked for again where it should have begun, and each call is billed', async () => {
    const { response, calls, cost } = await exchanges.run({ answer: [silent, answered] });
    expect(response).toMatchObject({ status: 'COMPLETED', acceptedAttempt: 2 });
    expect(calls).toHaveLength(2);
    expect(cost?.calls.map(({ disposition }) => disposition)).toEqual(['RETRIED', 'ACCEPTED']);
  });

  it.each([
    ['flex', { serviceTier: 'flex' }],
    ['high effort', { model: 'gpt-5.4', reasoningEffort: 'high' }],
  ])('is not asked for again where it may begin late, and is billed: %s', async (_why, request) => {
    const { response, calls, cost } = await exchanges.run({ request, answer: silent });
    expect(response).toMatchObject({ status: 'FAILED', error: { code: 'timeout' } });
    expect(calls).toHaveLength(1);
    expect(cost?.calls).toMatchObject([{ disposition: 'FAILED', usage: { confidence: 'PARTIAL' } }]);
  });

  it('does not hold back the requests of others', async () => {
    const request = { model: 'gpt-4.1-mini', serviceTier: 'flex' };
    const all = Array.from({ length: 6 }, () => exchanges.run({ request, answer: silent }));
    for (const { response } of await Promise.all(all)) expect(response.error?.code).toBe('timeout');
    const other = await exchanges.run({ request: { model: 'gpt-4.1-mini' }, answer: answered });
    expect(other.response.status).toBe('COMPLETED');
  });
});
