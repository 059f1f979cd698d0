import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import { cancelled } from '../../../src/domain/failures/refusals.ts';
import type { Admission } from '../../../src/pipeline/admission/admission.ts';
import { admissionOf, callTo, hurry } from '../../support/fakes/admission.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';
import { type CallScript, FakeProvider, said } from '../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { turn } from '../../support/fakes/turn.ts';
import { PipelineBench } from './pipeline-bench.ts';

let admission: Admission;
let caller: AbortController;
let handling: Handling;

beforeEach(() => {
  admission = admissionOf(hurry());
  caller = new AbortController();
});

function setUp(...scripts: CallScript[]): void {
  handling = new Handling(new FakeProvider(...scripts), { admission });
}

const cancel = () => caller.abort(cancelled('user left'));
const handle = (record = handling.record()) => handling.handle(record, { cancelled: caller.signal });
const untilParked = () => vi.waitUntil(() => admission.counts.parked > 0, { interval: 1 });

/** It ended without a call, a bill or a claim that is left. */
async function expectNotCalled(handled: ReturnType<typeof handle>, calls = 0): Promise<void> {
  const end = await handled;
  expect(end).toMatchObject({ status: 'CANCELLED', code: 'cancelled', inLedger: true, bill: null });
  expect(outcomeOf(end.records).response).toMatchObject({
    attempts: 0,
    cost: null,
    error: { message: 'the request was cancelled: user left' },
  });
  expect(handling.provider.calls).toHaveLength(calls);
  expect(handling.ledger.rows.get('default request-1')?.claim ?? null).toBeNull();
  expect(handling.messagesSent()).toEqual([]);
}

describe('a request that is cancelled without a call', () => {
  it('before it is handled', async () => {
    setUp();
    cancel();
    await expectNotCalled(handle());
  });

  it('while it waits for memory', async () => {
    setUp();
    const large = handling.memory.open(900_000_000);
    void large.begin();
    const handled = handle();
    await untilParked();
    cancel();
    await expectNotCalled(handled);
  });

  it('while it waits for the end of an outage', async () => {
    admission = admissionOf(new FakeClock());
    setUp();
    for (let count = 0; count < 3; count += 1) {
      const permit = admission.tryEnter({
        ...callTo('gpt-4'),
        provider: { name: 'openai', account: 'acme-project' },
      });
      permit?.begin();
      permit?.failed(new ChatFailure('provider_unavailable', 'down', true));
    }
    const handled = handle();
    await untilParked();
    cancel();
    await expectNotCalled(handled);
    expect(admission.gateStates()).toMatchObject([{ waiting: 0 }]);
  });

  it('while its claim is written', async () => {
    setUp();
    handling.ledger.before = () => cancel();
    await expectNotCalled(handle());
    expect(handling.attempts()).toMatchObject([{ disposition: 'ABORTED', usage: null }]);
  });

  it('while it waits for its turn in quarantine', async () => {
    setUp();
    const record = handling.record();
    for (const worker of ['crashed-1', 'crashed-2']) {
      const other = new Handling(new FakeProvider({ neverBegins: true }), { ledger: handling.ledger });
      other.lease.workerId = worker;
      other.lease.onWatch = ({ verdict }) => verdict.resolve(true);
      const calling = Promise.withResolvers<void>();
      other.provider.onSilence = calling.resolve;
      void other.handle(record);
      await calling.promise;
    }
    handling.lease.onWatch = ({ verdict }) => verdict.resolve(true);
    const first = handling.handler.claims.quarantine.open();
    first.tryEnter();
    const handled = handle(record);
    while (handling.ledger.rows.get('default request-1')?.suspect !== true) await turn();
    await untilParked();
    cancel();
    const end = await handled;
    expect(end).toMatchObject({ status: 'CANCELLED', inLedger: true });
    expect(handling.provider.calls).toEqual([]);
    // The calls of the workers that crashed are billed all the same.
    expect(outcomeOf(end.records).cost?.calls).toMatchObject([
      { disposition: 'ORPHANED' },
      { disposition: 'ORPHANED' },
    ]);
    first.leave();
    expect(handling.handler.claims.quarantine.open().tryEnter()).toBe(true);
  });

  it('is refused as ever when it is not valid', async () => {
    setUp();
    cancel();
    expect(await handle(handling.record({ temperature: 7 }))).toMatchObject({ code: 'invalid_request' });
  });

  it('waits for no slot', async () => {
    const bench = new PipelineBench({ maxInFlight: 1 });
    await bench.assign(0, 1);
    bench.publish('busy');
    bench.publish('waits');
    bench.fetch();
    await turn();
    expect(bench.claimed).toEqual(['busy']);
    bench.cancellations.add({ tenantId: 'default', requestId: 'waits', reason: null });
    bench.answer('waits', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    await bench.reach(() => bench.answeredIds().length === 1);
    expect(bench.responses()).toMatchObject([{ requestId: 'waits', status: 'CANCELLED' }]);
    expect(bench.called).toEqual([]);
    bench.answer('busy');
    await bench.reach(() => bench.answeredIds().length === 2);
  });

  it('keeps its place behind the requests of its key', async () => {
    const bench = new PipelineBench({ maxInFlight: 1 });
    await bench.assign(0, 1);
    bench.publish('first', 'key');
    bench.publish('second', 'key');
    bench.cancellations.add({ tenantId: 'default', requestId: 'second', reason: null });
    bench.fetch();
    bench.answer('second', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    await turn();
    expect(bench.claimed).toEqual(['first']);
    bench.answer('first');
    await bench.reach(() => bench.answeredIds().length === 2);
    expect(bench.answeredIds()).toEqual(['first', 'second']);
  });
});

describe('a call that is cancelled', () => {
  it('ends, with what arrived and its cost', async () => {
    setUp({ steps: [said('Hello'), 'silence'] });
    handling.provider.onSilence = cancel;
    const end = await handle();
    const { response, cost } = outcomeOf(end.records);
    expect(response).toMatchObject({ status: 'CANCELLED', attempts: 1, choices: [{ content: 'Hello' }] });
    expect(cost?.calls).toMatchObject([{ disposition: 'ABORTED', usage: { confidence: 'PARTIAL' } }]);
    expect(handling.provider.signals[0]?.aborted).toBe(true);
  });

  it('is not made again', async () => {
    setUp({ refuses: new ChatFailure('timeout', 'slow', true, { retryAfterMs: 40_000 }) });
    const handled = handle();
    await untilParked();
    cancel();
    expect(await handled).toMatchObject({ status: 'CANCELLED' });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('leaves no outcome when the service stops first', async () => {
    setUp({ neverBegins: true });
    handling.provider.onSilence = () => {
      handling.stop.abort(new Error('the service is stopping'));
      cancel();
    };
    await expect(handle()).rejects.toThrow('the service is stopping');
  });

  it('keeps its outcome when it is repeated', async () => {
    setUp();
    const record = handling.record();
    expect(await handle(record)).toMatchObject({ status: 'COMPLETED' });
    cancel();
    expect(await handle(record)).toMatchObject({ status: 'COMPLETED' });
    expect(handling.provider.calls).toHaveLength(1);
  });
});
