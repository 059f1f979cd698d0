import { describe, expect, it } from 'vitest';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import { ChunkPublisher } from '../../../src/pipeline/chunks/chunk-publisher.ts';
import { FakeProvider, said, used } from '../../support/fakes/fake-provider.ts';
import { FakeRecordSink } from '../../support/fakes/fake-record-sink.ts';
import { codec, Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';

const stopped = new Error('the service is stopping');
const slow = new ChatFailure('timeout', 'slow', true, { retryAfterMs: 50_000 });

/** There is no outcome: the claim is released, and the caller receives the reason. */
async function expectStopped(handling: Handling, running: Promise<unknown>) {
  await expect(running).rejects.toBe(stopped);
  const row = handling.ledger.rows.get('default request-1');
  expect(row?.claim ?? null).toBeNull();
  expect(row?.outcome ?? null).toBeNull();
}

/** Reports when a call has reached its last step. */
function silence(provider: FakeProvider): Promise<void> {
  const silent = Promise.withResolvers<void>();
  provider.onSilence = silent.resolve;
  return silent.promise;
}

/** Chunks that the test acknowledges. */
function slowBroker(handling: Handling, maxBufferedBytes = 1_000_000) {
  const sink = new FakeRecordSink();
  const { clock } = handling;
  const chunks = new ChunkPublisher({ sink, codec, topic: 'chat.chunks', clock, maxBufferedBytes });
  Object.assign(handling.options, { chunks });
  return sink;
}

describe('a stop of the service', () => {
  it('before the claim leaves the ledger untouched', async () => {
    const handling = new Handling();
    handling.stop.abort(stopped);
    await expectStopped(handling, handling.handle(handling.record()));
    expect(handling.ledger.writes).toEqual([]);
  });

  it('during the wait for the lease leaves the ledger untouched', async () => {
    const handling = new Handling();
    handling.lease.beforeHeld = () => handling.stop.abort(stopped);
    await expectStopped(handling, handling.handle(handling.record()));
    expect(handling.ledger.writes).toEqual([]);
  });

  it('while the claim is written releases it, and the call that was never made used nothing', async () => {
    const handling = new Handling();
    handling.ledger.before = (write) => {
      if (write === 'claim') handling.stop.abort(stopped);
    };
    await expectStopped(handling, handling.handle(handling.record()));
    expect(handling.provider.calls).toEqual([]);
    expect(handling.attempts()).toMatchObject([{ attempt: 1, disposition: 'ABORTED', usage: null }]);

    // The next worker makes the next attempt, bills that one alone and counts one call.
    const next = new Handling(undefined, { ledger: handling.ledger });
    const { records } = await next.handle(next.record());
    expect(outcomeOf(records)).toMatchObject({
      response: { attempts: 1, acceptedAttempt: 2, cost: '0.006' },
      cost: { calls: [{ attempt: 2 }] },
    });
  });

  it('while the claim of a request without a call is written releases it without one', async () => {
    const handling = new Handling();
    handling.ledger.before = (write) => {
      if (write === 'claim') handling.stop.abort(stopped);
    };
    const late = handling.record({ deadline: handling.clock.now() });
    await expectStopped(handling, handling.handle(late));
    expect(handling.attempts()).toEqual([]);
  });

  it('before the answer begins ends the call, which the answering worker bills as aborted', async () => {
    const handling = new Handling(new FakeProvider({ neverBegins: true }));
    const silent = silence(handling.provider);
    const record = handling.record();
    const running = handling.handle(record);
    await silent;
    handling.stop.abort(stopped);
    await expectStopped(handling, running);
    expect(handling.attempts()).toMatchObject([
      { disposition: 'ABORTED', usage: { inputTokens: 13, outputTokens: 0, confidence: 'ESTIMATED' } },
    ]);
    // No chunk was published, so there is no last one either.
    expect(handling.chunks()).toEqual([]);

    const next = new Handling(undefined, { ledger: handling.ledger });
    const { records } = await next.handle(record);
    expect(outcomeOf(records).cost?.calls).toMatchObject([
      { attempt: 1, disposition: 'ABORTED', amount: '0.00039' },
      { attempt: 2, disposition: 'ACCEPTED', amount: '0.006' },
    ]);
  });

  it('in the middle of an answer keeps its known usage', async () => {
    const handling = new Handling(new FakeProvider({ steps: [said('Hello wo'), 'silence'] }));
    const silent = silence(handling.provider);
    const running = handling.handle(handling.record());
    await silent;
    handling.stop.abort(stopped);
    await expectStopped(handling, running);
    expect(handling.attempts()).toMatchObject([
      { disposition: 'ABORTED', usage: { inputTokens: 13, outputTokens: 2, confidence: 'PARTIAL' } },
    ]);
  });

  it('during the backoff before a retry makes no further call', async () => {
    const handling = new Handling(new FakeProvider({ refuses: slow }));
    const called = Promise.withResolvers<void>();
    const metrics = { ...handling.options.metrics, providerCall: () => called.resolve() };
    Object.assign(handling.options, { metrics });
    const running = handling.handle(handling.record());
    await called.promise;
    await turn();
    handling.stop.abort(stopped);
    await expectStopped(handling, running);
    expect(handling.provider.calls).toHaveLength(1);
    expect(handling.attempts()).toMatchObject([{ disposition: 'FAILED' }]);
  });

  it('while the row of a retry is written makes no further call, and that one used nothing', async () => {
    const handling = new Handling(new FakeProvider({ refuses: new ChatFailure('timeout', 'slow', true) }));
    handling.ledger.before = (write) => {
      if (write === 'beginAttempt') handling.stop.abort(stopped);
    };
    await expectStopped(handling, handling.handle(handling.record()));
    expect(handling.provider.calls).toHaveLength(1);
    expect(handling.attempts()).toMatchObject([
      { attempt: 1, disposition: 'RETRIED', usage: { confidence: 'ESTIMATED' } },
      { attempt: 2, disposition: 'ABORTED', usage: null },
    ]);
  });

  it('while the chunks of the answer are acknowledged settles nothing: the answer is billed as aborted', async () => {
    const handling = new Handling();
    const sink = slowBroker(handling);
    const running = handling.handle(handling.record());
    await turn();
    expect(sink.isBusy).toBe(true);
    handling.stop.abort(stopped);
    await expectStopped(handling, running);
    expect(handling.attempts()).toMatchObject([{ disposition: 'ABORTED', usage: { outputTokens: 50 } }]);
  });

  it('while the chunks of a broken answer are acknowledged does not wait for the broker', async () => {
    const broke = new ChatFailure('stream_interrupted', 'cut', true);
    const handling = new Handling(new FakeProvider({ steps: [said('Hel'), broke] }));
    slowBroker(handling);
    const running = handling.handle(handling.record());
    await turn();
    handling.stop.abort(stopped);
    await expectStopped(handling, running);
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('while the broker is behind ends the answer and stops reading it', async () => {
    const handling = new Handling();
    slowBroker(handling, 0);
    const running = handling.handle(handling.record());
    await turn();
    handling.stop.abort(stopped);
    await expectStopped(handling, running);
    expect(handling.attempts()).toMatchObject([{ disposition: 'ABORTED', usage: { outputTokens: 2 } }]);
  });

  it('keeps its reason when the claim cannot be released', async () => {
    const handling = new Handling(new FakeProvider({ neverBegins: true }));
    const silent = silence(handling.provider);
    handling.ledger.before = (write) => {
      if (write === 'release') throw new Error('the ledger was closed');
    };
    const running = handling.handle(handling.record());
    await silent;
    handling.stop.abort(stopped);
    await expect(running).rejects.toBe(stopped);
  });
});

describe('an answer that arrives faster than the broker accepts it', () => {
  it('waits for the broker and is complete', async () => {
    const handling = new Handling();
    const sink = slowBroker(handling, 0);
    const running = handling.handle(handling.record());
    let ended = false;
    void running.finally(() => {
      ended = true;
    });
    await turn();
    expect(ended).toBe(false);
    while (!ended) {
      sink.acknowledge();
      await turn();
    }
    expect(outcomeOf((await running).records).response?.choices).toMatchObject([{ content: 'Hello world' }]);
  });
});

describe('a deadline', () => {
  it('that has passed is reported without a call, and remembered', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record({ deadline: handling.clock.now() }));
    expect(outcomeOf(records)).toMatchObject({
      response: { attempts: 0, costStatus: 'NONE', error: { code: 'deadline_exceeded', param: 'deadline' } },
      cost: undefined,
    });
    expect(handling.provider.calls).toEqual([]);
    expect(handling.ledger.rows.get('default request-1')?.outcome?.remembered).toBe(true);
  });

  it('that passes while the request is claimed is reported without a call, and nothing is billed', async () => {
    const handling = new Handling();
    handling.ledger.before = (write) => {
      if (write === 'claim') handling.clock.advance(1_000);
    };
    const { records } = await handling.handle(handling.record({ deadline: handling.clock.now() + 1_000 }));
    expect(outcomeOf(records)).toMatchObject({
      response: {
        attempts: 0,
        error: { code: 'deadline_exceeded', message: expect.stringContaining('before') },
      },
      cost: undefined,
    });
    expect(handling.provider.calls).toEqual([]);
    expect(handling.attempts()).toMatchObject([{ disposition: 'ABORTED', usage: null }]);
  });

  it('that passes during the call ends it: the response has the partial answer, and its usage is billed', async () => {
    const handling = new Handling(new FakeProvider({ steps: [said('Hel'), used(100, 9), 'silence'] }));
    const { records } = await handling.handle(handling.record({ deadline: handling.clock.now() + 5 }));
    expect(outcomeOf(records)).toMatchObject({
      response: {
        status: 'FAILED',
        choices: [{ content: 'Hel', finishReason: null }],
        usage: null,
        acceptedAttempt: null,
        cost: '0.00354',
        error: { code: 'deadline_exceeded', retryable: false },
      },
      cost: { acceptedCost: null, calls: [{ disposition: 'ABORTED', usage: { outputTokens: 9 } }] },
    });
  });

  it('that would pass before the next try ends the request with its own failure', async () => {
    const handling = new Handling(new FakeProvider({ refuses: slow }));
    const { records } = await handling.handle(handling.record({ deadline: handling.clock.now() + 50_000 }));
    expect(outcomeOf(records).response?.error).toMatchObject({ code: 'timeout', retryAfterMs: 50_000 });
    expect(handling.provider.calls).toHaveLength(1);
  });
});

describe('a broker that acknowledges nothing', () => {
  const limits: [string, (handling: Handling) => number | null, string][] = [
    ['deadline', ({ clock }) => clock.now() + 5, 'deadline_exceeded'],
    ['total time', () => null, 'timeout'],
  ];

  it.each(limits)(
    'is waited for until the %s: the answer has failed, and is billed',
    async (_what, deadlineOf, code) => {
      const handling = new Handling(undefined, { requestTimeoutMs: 50 });
      slowBroker(handling);
      const { records } = await handling.handle(handling.record({ deadline: deadlineOf(handling) }));
      expect(outcomeOf(records)).toMatchObject({
        response: {
          status: 'FAILED',
          choices: [{ content: 'Hello world' }],
          acceptedAttempt: null,
          error: { code },
        },
        cost: { calls: [{ disposition: 'FAILED', usage: { outputTokens: 50 } }] },
      });
    },
  );
});

describe('a ledger that does not answer', () => {
  it('before a retry delays it until the deadline: no further call is made or billed', async () => {
    const handling = new Handling(new FakeProvider({ refuses: new ChatFailure('timeout', 'slow', true) }));
    const back = Promise.withResolvers<void>();
    handling.ledger.before = (write) => (write === 'beginAttempt' ? back.promise : undefined);
    const { records } = await handling.handle(handling.record({ deadline: handling.clock.now() + 50 }));
    back.resolve();
    await turn();
    expect(outcomeOf(records).response?.error?.code).toBe('deadline_exceeded');
    expect(handling.provider.calls).toHaveLength(1);
    expect(handling.attempts()).toMatchObject([{ attempt: 1 }, { disposition: 'ABORTED', usage: null }]);
  });
});

describe('the total time', () => {
  it('ends a call that exceeds it', async () => {
    const provider = new FakeProvider({ neverBegins: true });
    const handling = new Handling(provider, { requestTimeoutMs: 5 });
    const { records } = await handling.handle(handling.record());
    expect(outcomeOf(records).response?.error).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('CHAT_REQUEST_TIMEOUT'),
    });
    expect(handling.attempts()).toMatchObject([{ disposition: 'ABORTED' }]);
  });

  it('that would pass before the next try ends the request with its own failure', async () => {
    const handling = new Handling(new FakeProvider({ refuses: slow }), { requestTimeoutMs: 50_000 });
    const { records } = await handling.handle(handling.record());
    expect(outcomeOf(records).response?.error).toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/^slow\. /),
    });
    expect(handling.attempts()).toMatchObject([{ disposition: 'FAILED' }]);
  });

  it('ends a backoff that outlasts it, as after the clock was set back', async () => {
    const provider = new FakeProvider({ refuses: slow });
    const handling = new Handling(provider, { requestTimeoutMs: 5 });
    const stream = provider.stream.bind(provider);
    provider.stream = (call, signal) => {
      handling.clock.advance(-3_600_000);
      return stream(call, signal);
    };
    const { records } = await handling.handle(handling.record());
    expect(outcomeOf(records).response).toMatchObject({ attempts: 1, error: { code: 'timeout' } });
    expect(outcomeOf(records).response?.error?.message).toContain('5 ms');
    expect(handling.attempts()).toMatchObject([{ disposition: 'FAILED' }]);
  });
});
