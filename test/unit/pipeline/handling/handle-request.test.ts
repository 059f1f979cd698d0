import { describe, expect, it } from 'vitest';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import { internalFailure } from '../../../../src/domain/failures/refusals.ts';
import { FakeProvider, said, used } from '../../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../../../support/fakes/handling.ts';

const broken = () => new ChatFailure('provider_error', 'the provider has a fault', true, { httpStatus: 500 });
const refusedKey = () =>
  new ChatFailure('invalid_credentials', 'the key is not valid', false, { httpStatus: 401 });

describe('a new request', () => {
  it('ends with a response, an event and a bill, and the outcome is in the ledger', async () => {
    const handling = new Handling();
    const handled = await handling.handle(handling.record({ labels: { team: 'search' } }));

    const { response, generated, cost } = outcomeOf(handled.records);
    expect(response).toMatchObject({
      requestId: 'request-1',
      status: 'COMPLETED',
      provider: 'openai',
      requestedModel: 'gpt-4',
      model: 'gpt-4',
      choices: [{ index: 0, content: 'Hello world', finishReason: 'stop' }],
      usage: { inputTokens: 100, outputTokens: 50, confidence: 'PROVIDER' },
      costStatus: 'PRICED',
      cost: '0.006',
      currency: 'USD',
      costEventId: cost?.eventId,
      error: null,
      attempts: 1,
      acceptedAttempt: 1,
      replayed: false,
      omitted: [],
      providerResponseId: 'chatcmpl-1',
      providerRequestId: 'req_1',
      systemFingerprint: 'fp_1',
      labels: { team: 'search' },
      timing: { queuedMs: 40 },
    });
    expect(generated).toMatchObject({ status: 'COMPLETED', finishReasons: ['stop'], model: 'gpt-4' });
    expect(cost).toMatchObject({
      totalCost: '0.006',
      acceptedCost: '0.006',
      usageAt: handling.clock.now(),
      calls: [{ attempt: 1, disposition: 'ACCEPTED', account: 'acme-project', priceId: 'price-gpt-4' }],
    });
    expect(handled).toMatchObject({ inLedger: true, status: 'COMPLETED', code: null, replayed: false });
    expect(handling.ledger.rows.get('default request-1')?.outcome?.remembered).toBe(true);
    expect(handling.attempts()).toMatchObject([{ attempt: 1, disposition: 'ACCEPTED' }]);
  });

  it('answers to the partition with the input’s number, under the input’s key', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record());
    expect(records.map(({ topic }) => topic)).toEqual([
      'chat.responses',
      'chat.response-generated',
      'chat.costs',
    ]);
    for (const { partition, key } of records) {
      expect(partition).toBe(3);
      expect(String(key)).toBe('conversation-1');
    }
  });

  it('uses the order key as record key when the input has none', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(
      handling.record({ conversationId: 'conversation-9' }, { key: null }),
    );
    expect(records.map(({ key }) => key)).toEqual(['conversation-9', 'conversation-9', 'conversation-9']);
  });

  it('is published with CloudEvents headers that name each event', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record());
    const { response, generated, cost } = outcomeOf(records);
    const time = new Date(handling.clock.now()).toISOString();
    const headers = (type: string, id: string | undefined) => ({
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: '/completion-bus/group%20a',
      ce_type: `completionbus.v1.${type}`,
      ce_time: time,
      'content-type': 'application/avro',
    });
    expect(records.map((record) => record.headers)).toEqual([
      headers('ChatResponse', response?.eventId),
      headers('ResponseGenerated', generated?.eventId),
      headers('CostCalculated', cost?.eventId),
    ]);
  });

  it('has the same event ids on every worker, and others for another tenant', async () => {
    const idsOf = async (tenantId: string) => {
      const handling = new Handling();
      const { records } = await handling.handle(handling.record({ tenantId }));
      return records.map(({ headers }) => String(headers['ce_id']));
    };
    const ids = await idsOf('acme');
    expect(await idsOf('acme')).toEqual(ids);
    const others = await idsOf('globex');
    expect(new Set([...ids, ...others]).size).toBe(6);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  });

  it('publishes its chunks before its outcome, and they add up to the answer', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record());
    const chunks = handling.chunks();
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
    expect(chunks.map(({ content }) => content).join('')).toBe('Hello world');
    expect(chunks.map(({ last }) => last)).toEqual([...chunks.slice(1).map(() => false), true]);
    expect(outcomeOf(records).response?.chunkCount).toBe(chunks.length);
  });

  it('announces a call with its estimate when the call begins', async () => {
    const handling = new Handling(new FakeProvider({ refuses: refusedKey() }));
    await handling.handle(handling.record());
    expect(handling.messagesSent()).toMatchObject([
      {
        attempt: 1,
        model: 'gpt-4',
        messageCount: 1,
        estimatedInputTokens: 13,
        estimatedCost: '0.24039',
        currency: 'USD',
        occurredAt: handling.clock.now(),
      },
    ]);
  });

  it('without streaming publishes no chunk and counts none', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record({ stream: false }));
    expect(handling.chunks()).toEqual([]);
    expect(outcomeOf(records).response).toMatchObject({
      chunkCount: 0,
      choices: [{ content: 'Hello world' }],
    });
  });
});

describe('an invalid request', () => {
  it('is refused with every problem, without the ledger and without a call', async () => {
    const handling = new Handling();
    const record = handling.record({ requestId: 'no spaces allowed', messages: [] });
    const handled = await handling.handle(record);

    const { response, cost } = outcomeOf(handled.records);
    expect(response).toMatchObject({ status: 'FAILED', attempts: 0, costStatus: 'NONE', usage: null });
    expect(response?.error).toMatchObject({ code: 'invalid_request', param: 'requestId', retryable: false });
    expect(response?.error?.message).toContain('messages: it is empty');
    expect(cost).toBeUndefined();
    expect(handled).toMatchObject({ inLedger: false, code: 'invalid_request' });
    expect(handling.ledger.writes).toEqual([]);
    expect(handling.provider.calls).toEqual([]);
    // Redelivered, it gets the same refusal; another record gets a different one.
    const again = await handling.handle(record);
    expect(outcomeOf(again.records).response?.eventId).toBe(response?.eventId);
    const other = await handling.handle({ ...record, offset: record.offset + 1 });
    expect(outcomeOf(other.records).response?.eventId).not.toBe(response?.eventId);
  });

  it('is also refused for a field of a newer writer', async () => {
    const handling = new Handling();
    const job = handling.job(handling.record());
    const problems = [{ path: 'mood', code: 'unknown_field', message: 'mood is not known here' }];
    const { records } = await handling.handle(handling.record(), { accepted: { ...job.accepted, problems } });
    expect(outcomeOf(records).response?.error).toMatchObject({ code: 'invalid_request', param: 'mood' });
  });

  it('is refused for a provider that is not configured, and remembered', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record({ provider: 'acme-ai' }));
    expect(outcomeOf(records).response).toMatchObject({
      provider: 'acme-ai',
      error: { code: 'invalid_request', param: 'provider', message: expect.stringContaining('openai') },
    });
    expect(handling.ledger.rows.get('default request-1')?.outcome?.remembered).toBe(true);
    expect(handling.attempts()).toEqual([]);
  });
});

describe('failures and retries', () => {
  it('a temporary failure is retried, and both calls are billed for their usage', async () => {
    const handling = new Handling(
      new FakeProvider(
        { steps: [said('Hel'), used(100, 7), new ChatFailure('stream_interrupted', 'cut', true)] },
        {},
      ),
    );
    const { records } = await handling.handle(handling.record());
    const { response, cost } = outcomeOf(records);
    expect(response).toMatchObject({
      status: 'COMPLETED',
      attempts: 2,
      acceptedAttempt: 2,
      usage: { outputTokens: 50 },
      cost: '0.00942',
    });
    expect(cost).toMatchObject({
      totalCost: '0.00942',
      acceptedCost: '0.006',
      usage: { inputTokens: 200, outputTokens: 57 },
      calls: [
        { attempt: 1, disposition: 'RETRIED', amount: '0.00342', usage: { outputTokens: 7 } },
        { attempt: 2, disposition: 'ACCEPTED', amount: '0.006' },
      ],
    });
    expect(handling.attempts()).toMatchObject([{ disposition: 'RETRIED' }, { disposition: 'ACCEPTED' }]);
  });

  it('a refusal used nothing: it is not billed, and a temporary one is not remembered', async () => {
    const handling = new Handling(new FakeProvider({ refuses: broken() }), {});
    const { records, code } = await handling.handle(handling.record());
    expect(code).toBe('provider_error');
    const { response, cost } = outcomeOf(records);
    expect(response).toMatchObject({
      status: 'FAILED',
      attempts: 4,
      acceptedAttempt: null,
      costStatus: 'NONE',
      cost: null,
      costEventId: null,
      error: { retryable: true, httpStatus: 500 },
    });
    expect(cost).toBeUndefined();
    expect(handling.ledger.rows.get('default request-1')?.outcome?.remembered).toBe(false);
    // The publisher tries again with the same id: it runs from scratch, under new attempt numbers.
    const second = await handling.handle(handling.record());
    expect(second.replayed).toBe(false);
    expect(handling.provider.calls.at(-1)?.clientRequestId).toBe('request-1/8');
  });

  it('a permanent refusal is not retried, and is remembered', async () => {
    const handling = new Handling(new FakeProvider({ refuses: refusedKey() }));
    await handling.handle(handling.record());
    expect(handling.provider.calls).toHaveLength(1);
    expect(handling.ledger.rows.get('default request-1')?.outcome?.remembered).toBe(true);
  });

  it('a billed failure is remembered, even if it is temporary', async () => {
    const broke = new ChatFailure('stream_interrupted', 'cut', true);
    const handling = new Handling(new FakeProvider({ steps: [said('Hel'), broke] }));
    const { records } = await handling.handle(handling.record({ restartOnBreak: false }));
    expect(outcomeOf(records)).toMatchObject({
      response: { status: 'FAILED', choices: [{ content: 'Hel' }], chunkCount: 0 },
      cost: { requestStatus: 'FAILED', acceptedCost: null },
    });
    expect(handling.ledger.rows.get('default request-1')?.outcome?.remembered).toBe(true);
  });

  it('an answer without usage is billed from an estimate and marked as such', async () => {
    const handling = new Handling(new FakeProvider({ steps: [said('Hello world!', 'stop')] }));
    const { records } = await handling.handle(handling.record());
    const { response, cost } = outcomeOf(records);
    expect(response?.usage).toMatchObject({ inputTokens: 13, outputTokens: 3, confidence: 'ESTIMATED' });
    expect(cost).toMatchObject({ totalCost: '0.00057', usage: { confidence: 'ESTIMATED' } });
  });

  it('a broken stream has partial usage, and restarts under the next attempt with its own chunks', async () => {
    const broke = new ChatFailure('stream_interrupted', 'cut', true);
    const handling = new Handling(new FakeProvider({ steps: [said('Hello wor'), broke] }, {}));
    const { records } = await handling.handle(handling.record());
    const { response, cost } = outcomeOf(records);
    expect(cost?.calls).toMatchObject([
      { disposition: 'RETRIED', usage: { inputTokens: 13, outputTokens: 3, confidence: 'PARTIAL' } },
      { disposition: 'ACCEPTED', usage: { confidence: 'PROVIDER' } },
    ]);
    expect(cost?.usage.confidence).toBe('PARTIAL');
    const chunks = handling.chunks();
    const second = chunks.filter(({ attempt }) => attempt === 2);
    expect(chunks.findLastIndex(({ attempt }) => attempt === 1)).toBeLessThan(chunks.length - second.length);
    expect(second.map(({ sequence }) => sequence)).toEqual(second.map((_, index) => index));
    expect(second.map(({ content }) => content).join('')).toBe('Hello world');
    expect(response).toMatchObject({ acceptedAttempt: 2, chunkCount: second.length });
  });

  it('an unexpected error of the provider propagates, and the claim is released', async () => {
    const bug = new TypeError('undefined is not a function');
    const handling = new Handling(new FakeProvider({ refuses: bug }, {}));
    const record = handling.record();
    await expect(handling.handle(record)).rejects.toBe(bug);
    expect(handling.ledger.rows.get('default request-1')).toMatchObject({ claim: null, outcome: null });
    expect(handling.attempts()).toMatchObject([
      { disposition: 'FAILED', usage: { confidence: 'ESTIMATED' } },
    ]);
    // The next try bills both: the provider may have run the first call.
    const { records } = await handling.handle(record);
    expect(outcomeOf(records).cost?.calls).toMatchObject([
      { attempt: 1, disposition: 'FAILED' },
      { attempt: 2, disposition: 'ACCEPTED' },
    ]);
  });

  it('an unexpected error while a call is planned propagates before anything is claimed', async () => {
    const handling = new Handling();
    const bug = new Error('no such catalog');
    handling.catalog.price = () => {
      throw bug;
    };
    await expect(handling.handle(handling.record())).rejects.toBe(bug);
    expect(handling.ledger.writes).toEqual([]);
  });

  it('a request that the service gives up on fails as internal, with the bill of earlier calls', async () => {
    const handling = new Handling(new FakeProvider({ refuses: new TypeError('a bug') }));
    const record = handling.record();
    await expect(handling.handle(record)).rejects.toThrow('a bug');
    const { records } = await handling.handle(record, { givenUp: internalFailure() });
    expect(outcomeOf(records)).toMatchObject({
      response: { status: 'FAILED', attempts: 1, error: { code: 'internal' } },
      cost: { calls: [{ attempt: 1, disposition: 'FAILED' }] },
    });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('a cancellation is a separate outcome', async () => {
    const cancelled = new ChatFailure('cancelled', 'the publisher cancelled it', false);
    const handling = new Handling(new FakeProvider({ refuses: cancelled }));
    const { records } = await handling.handle(handling.record());
    expect(outcomeOf(records)).toMatchObject({
      response: { status: 'CANCELLED', error: { code: 'cancelled' } },
      generated: { status: 'CANCELLED' },
      cost: { requestStatus: 'CANCELLED' },
    });
  });
});
