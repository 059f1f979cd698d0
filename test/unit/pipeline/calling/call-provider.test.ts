import { describe, expect, it } from 'vitest';
import type { ChatRequestInput } from '../../../../src/contract/record-types.ts';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import { deadlineExceeded, tookTooLong } from '../../../../src/domain/failures/refusals.ts';
import type { Adaptation } from '../../../../src/domain/parameters/adaptation.ts';
import { planCall } from '../../../../src/pipeline/admission/plan-call.ts';
import { limitTime } from '../../../../src/pipeline/admission/time-limit.ts';
import { callProvider } from '../../../../src/pipeline/calling/call-provider.ts';
import { OwnPermits } from '../../../../src/pipeline/calling/own-permits.ts';
import { OwnClaim } from '../../../../src/pipeline/claims/own-claim.ts';
import { delta, FakeProvider, said, used } from '../../../support/fakes/fake-provider.ts';
import { Handling } from '../../../support/fakes/handling.ts';

const slow = () => new ChatFailure('timeout', 'slow', true);
const broke = () => new ChatFailure('stream_interrupted', 'cut', true);

/** One claimed request, called without the rest of the handling. */
async function callOf(provider: FakeProvider, members: Partial<ChatRequestInput> = {}) {
  const handling = new Handling(provider);
  const job = handling.job(handling.record(members));
  const { request, record } = job.accepted;
  const identity = { tenantId: request.tenantId, requestId: request.requestId };
  const { providers, defaults, ledger } = handling.options;
  const startedAt = handling.clock.now();
  const plan = planCall(request, providers, handling.catalog, defaults, startedAt, handling.tokens);
  const granted = await ledger.claim({
    identity,
    bodyHash: Buffer.from('the body'),
    source: record,
    token: 'ours',
    owner: 'worker-1',
    draft: {
      provider: 'openai',
      account: null,
      model: 'gpt-4',
      startedAt,
      estimatedInputTokens: plan.estimatedInputTokens,
    },
    takeFrom: null,
    inQuarantine: false,
    now: startedAt,
  });
  if (granted.kind !== 'claimed') throw new Error(`the claim is ${granted.kind}`);
  const claim = new OwnClaim(granted, { identity, token: 'ours', startedAt, plan }, ledger);
  const { admission } = handling.options;
  const permit = admission.tryEnter(plan);
  if (permit === null) throw new Error('the gate is not free');
  const make = (signal: AbortSignal) => {
    const limit = limitTime(signal, null, Number.POSITIVE_INFINITY, handling.clock.now());
    const { clock } = handling;
    const permits = new OwnPermits(
      { admission, clock, seat: job.seat, plan, claim, stay: null, limit },
      permit,
    );
    return callProvider({ job, plan, claim, permits }, permit, handling.handler.caller, signal);
  };
  return { handling, attempts: claim.attempts, make };
}

const never = new AbortController().signal;

describe('callProvider', () => {
  it('sends the planned request, under a new id for each call', async () => {
    const provider = new FakeProvider({ refuses: slow() }, {});
    const { make } = await callOf(provider, { temperature: 0.25, maxOutputTokens: 9 });
    await make(never);
    expect(provider.calls).toMatchObject([
      {
        clientRequestId: 'request-1/1',
        temperature: 0.25,
        maxOutputTokens: 9,
        model: { id: 'gpt-4' },
        firstTokenTimeoutMs: 120_000,
        idleTimeoutMs: 30_000,
      },
      { clientRequestId: 'request-1/2' },
    ]);
  });

  it('adapts the call once for each form that the provider asks for, at once and without using a retry', async () => {
    const refusing = (adaptation: Adaptation) =>
      new ChatFailure('invalid_request', 'no', false, { httpStatus: 400, adaptation });
    const provider = new FakeProvider(
      { refuses: refusing('without_stream_options') },
      { refuses: refusing('max_tokens') },
      {},
    );
    const { make, attempts, handling } = await callOf(provider);
    Object.assign(handling.handler.caller.policy, { retryAttempts: 0 });
    expect((await make(never)).failure).toBeNull();
    expect(provider.calls.map(({ adaptations }) => adaptations)).toEqual([
      [],
      ['without_stream_options'],
      ['without_stream_options', 'max_tokens'],
    ]);
    expect(attempts.map(({ disposition, usage }) => [disposition, usage === null])).toEqual([
      ['RETRIED', true],
      ['RETRIED', true],
      ['ACCEPTED', false],
    ]);
  });

  it('does not repeat a form that was refused', async () => {
    const refuses = (adaptation: Adaptation) => ({
      refuses: new ChatFailure('invalid_request', 'no', false, { httpStatus: 400, adaptation }),
    });
    const provider = new FakeProvider(
      refuses('max_tokens'),
      refuses('max_completion_tokens'),
      refuses('max_tokens'),
    );
    const { make } = await callOf(provider);
    expect((await make(never)).failure).toMatchObject({ code: 'invalid_request' });
    expect(provider.calls).toHaveLength(3);
  });

  it('fails a begun answer on an unexpected error, and keeps where it was thrown but nothing of its message', async () => {
    const bug = new TypeError('cannot read the answer:\n    at a secret place\n    at noon');
    const { make, attempts } = await callOf(new FakeProvider({ steps: [said('Hello'), bug] }));
    const { failure } = await make(never);
    expect(failure).toMatchObject({ code: 'internal', retryable: false, cause: { name: 'TypeError' } });
    const { stack, message } = failure?.cause instanceof Error ? failure.cause : new Error('no cause');
    expect(stack).toContain('call-provider.test.ts');
    expect(`${message} ${stack}`).not.toMatch(/secret|noon|cannot|no cause/);
    expect(attempts).toMatchObject([{ disposition: 'FAILED', usage: { confidence: 'PARTIAL' } }]);
  });

  it('makes one call and as many retries as allowed, each in the ledger before it is made', async () => {
    const provider = new FakeProvider({ refuses: slow() });
    const { handling, attempts, make } = await callOf(provider);
    const known: number[] = [];
    const stream = provider.stream.bind(provider);
    provider.stream = (call, signal) => {
      const running = handling.attempts().filter(({ disposition }) => disposition === 'RUNNING');
      known.push(...running.map(({ attempt }) => attempt));
      return stream(call, signal);
    };
    const answer = await make(never);
    expect(answer).toMatchObject({ attempt: 4, failure: { code: 'timeout' }, chunkCount: 0 });
    expect(known).toEqual([1, 2, 3, 4]);
    expect(attempts.map(({ disposition }) => disposition)).toEqual([
      'RETRIED',
      'RETRIED',
      'RETRIED',
      'FAILED',
    ]);
  });

  it.each([
    ['the request says so', { restartOnBreak: false }, true],
    ['the service says so and the request does not decide', {}, false],
  ])('does not restart after published chunks when %s', async (_case, members, restartOnBreak) => {
    const provider = new FakeProvider({ steps: [said('Hel'), broke()] });
    const { handling, make } = await callOf(provider, members);
    Object.assign(handling.options, { policy: { ...handling.options.policy, restartOnBreak } });
    const answer = await make(never);
    await answer.chunksAcknowledged;
    expect(answer.failure?.code).toBe('stream_interrupted');
    expect(provider.calls).toHaveLength(1);
    expect(handling.chunks()).toMatchObject([{ content: 'Hel' }, { content: '', last: true }]);
  });

  it('restarts regardless of the request when no chunk was published', async () => {
    const provider = new FakeProvider({ steps: [broke()] }, {});
    const { make } = await callOf(provider, { restartOnBreak: false });
    expect((await make(never)).failure).toBeNull();
    expect(provider.calls).toHaveLength(2);
  });

  it('publishes a last chunk for an answer without any text', async () => {
    const provider = new FakeProvider({ steps: [used(3, 0)] });
    const { handling, make } = await callOf(provider);
    const answer = await make(never);
    await answer.chunksAcknowledged;
    expect(answer).toMatchObject({ chunkCount: 1, firstChunkMs: null, choices: [] });
    expect(handling.chunks()).toMatchObject([{ sequence: 0, content: '', last: true }]);
  });

  it('accepts a complete answer even when its time is up at the same moment', async () => {
    const ending = new AbortController();
    const provider = new FakeProvider();
    const { attempts, make } = await callOf(provider);
    const stream = provider.stream.bind(provider);
    provider.stream = async (call, signal) => {
      const answer = await stream(call, signal);
      return {
        served: answer.served,
        rateLimits: answer.rateLimits,
        async *[Symbol.asyncIterator]() {
          yield* answer;
          ending.abort(deadlineExceeded(true));
        },
      };
    };
    const answer = await make(ending.signal);
    expect(answer.failure).toBeNull();
    expect(attempts).toMatchObject([{ disposition: 'ACCEPTED' }]);
  });

  it('counts a refusal as the provider’s failure even when the time is up at the same moment', async () => {
    const ending = new AbortController();
    const quota = new ChatFailure('quota_exceeded', 'no money', false, { httpStatus: 429 });
    const provider = new FakeProvider({ refuses: quota });
    const { attempts, make } = await callOf(provider);
    const stream = provider.stream.bind(provider);
    provider.stream = (call, signal) =>
      stream(call, signal).finally(() => ending.abort(deadlineExceeded(true)));
    expect((await make(ending.signal)).failure).toBe(quota);
    expect(attempts).toMatchObject([{ disposition: 'FAILED', usage: null }]);
  });

  it.each([
    ['a refusal', { code: 'rate_limited', httpStatus: 429 }, null],
    ['a lost connection', { code: 'provider_unavailable' }, { inputTokens: 13, confidence: 'ESTIMATED' }],
    ['silence', { code: 'timeout' }, { inputTokens: 13, outputTokens: 0, confidence: 'ESTIMATED' }],
  ] as const)('bills %s for what it may have used', async (_case, { code, ...details }, usage) => {
    const failure = new ChatFailure(code, 'no', false, { ...details, providerRequestId: 'req_9' });
    const { attempts, make } = await callOf(new FakeProvider({ refuses: failure }));
    await make(never);
    expect(attempts).toMatchObject([{ usage, providerRequestId: 'req_9', model: 'gpt-4' }]);
  });

  it.each([
    ['it could not be made', { refuses: new ChatFailure('provider_unavailable', 'no', false) }],
    ['it timed out', { refuses: new ChatFailure('timeout', 'no', false) }],
    ['its request could not be serialized', { refuses: new ChatFailure('invalid_request', 'no', false) }],
  ])('bills nothing for a call without a connection: %s', async (_case, script) => {
    const { attempts, make } = await callOf(new FakeProvider({ ...script, neverSent: true }));
    await make(never);
    expect(attempts).toMatchObject([{ disposition: 'FAILED', usage: null }]);
  });

  it.each([
    ['is not billed for the time without a connection', true, null],
    ['is billed from an estimate once it was sent', false, { inputTokens: 13, confidence: 'ESTIMATED' }],
  ])('a call that a stop ends %s', async (_case, neverSent, usage) => {
    const stop = new AbortController();
    const provider = new FakeProvider({ neverBegins: true, neverSent });
    const { attempts, make } = await callOf(provider);
    provider.onSilence = () => stop.abort(new Error('the service stops'));
    await expect(make(stop.signal)).rejects.toThrow('the service stops');
    expect(attempts).toMatchObject([{ disposition: 'ABORTED', usage }]);
  });

  it.each([
    ['its deadline', deadlineExceeded(true)],
    ['the total timeout', tookTooLong(1_000)],
  ])('bills nothing for a call that %s ends before it has a connection', async (_case, failure) => {
    const ending = new AbortController();
    const provider = new FakeProvider({ neverBegins: true, neverSent: true });
    const { attempts, make } = await callOf(provider);
    provider.onSilence = () => ending.abort(failure);
    expect((await make(ending.signal)).failure).toBe(failure);
    expect(attempts).toMatchObject([{ usage: null }]);
  });

  it('keeps the served model, tier and ids', async () => {
    const served = { model: 'gpt-4-0613', serviceTier: 'flex', providerRequestId: 'req_7' };
    const { attempts, make } = await callOf(new FakeProvider({ served }));
    const answer = await make(never);
    expect(answer.served).toMatchObject({ ...served, responseId: 'chatcmpl-1' });
    expect(attempts).toMatchObject([
      { ...served, providerResponseId: 'chatcmpl-1', account: 'acme-project' },
    ]);
  });

  it('keeps the requested model when the provider names none', async () => {
    const { attempts, make } = await callOf(new FakeProvider({ served: { model: null } }));
    await make(never);
    expect(attempts[0]?.model).toBe('gpt-4');
  });

  it('folds all choices and takes the last reported usage', async () => {
    const steps = [
      used(3, 1),
      { deltas: [delta({ choiceIndex: 1, content: 'two' }), delta({ content: 'one' })] },
      { deltas: [delta({ finishReason: 'stop' })], ...used(3, 2) },
    ];
    const { handling, make } = await callOf(new FakeProvider({ steps }));
    const monotonic = handling.clock.monotonic.bind(handling.clock);
    handling.clock.monotonic = () => {
      handling.clock.advance(10);
      return monotonic();
    };
    const answer = await make(never);
    expect(answer.choices).toMatchObject([
      { content: 'one', finishReason: 'stop' },
      { content: 'two', finishReason: null },
    ]);
    expect(answer.usage?.outputTokens).toBe(2);
    expect(answer.firstChunkMs).toBeGreaterThan(0);
  });
});
