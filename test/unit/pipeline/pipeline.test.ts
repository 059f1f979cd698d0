import { describe, expect, it } from 'vitest';
import { RecordRefused } from '../../../src/ports/kafka.ts';
import { StoreUnavailable } from '../../../src/ports/ledger.ts';
import { sampleResponse } from '../../contract/sample-records.ts';
import { turn } from '../../support/fakes/turn.ts';
import { codec, PipelineBench, started } from './pipeline-bench.ts';

describe('Pipeline', () => {
  it('takes a request from its record to its visible response', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.fetch();
    expect(bench.pipeline.inFlight).toBe(1);
    expect(bench.pipeline.inFlightBytes).toBeGreaterThan(10);
    bench.answer('r1');
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    expect(bench.responses()).toMatchObject([
      { requestId: 'r1', status: 'FAILED', error: { param: 'requestId' } },
    ]);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it('handles requests of one key in one partition in order, and others in parallel', async () => {
    const bench = await started();
    bench.publish('a1', 'a');
    bench.publish('a2', 'a');
    bench.publish('b1', 'b');
    bench.publish('a3', 'a', 1);
    bench.fetch();
    await turn();
    expect(bench.claimed).toEqual(['a1', 'b1', 'a3']);
    bench.answer('b1');
    await bench.reach(() => bench.answeredIds().length === 1);
    expect(bench.claimed).not.toContain('a2');
    bench.answer('a2');
    bench.answer('a1');
    await bench.reach(() => bench.transportOf().committed.offset === 3);
    expect(bench.answeredIds()).toEqual(['b1', 'a1', 'a2']);
  });

  it('publishes one dead letter for an unreadable record, and continues after it', async () => {
    const bench = await started();
    bench.log().append({ value: Buffer.from('hello'), headers: { from: 'here' } });
    bench.publish('r1');
    bench.answer('r1');
    bench.fetch();
    await bench.reach(() => bench.transportOf().committed.offset === 2);
    const [letter, ...others] = bench
      .transportOf()
      .visible.filter(({ topic }) => topic === 'chat.requests.dead');
    expect(letter).toMatchObject({
      value: Buffer.from('hello'),
      headers: { from: 'here', 'dead-code': 'wrong_framing', 'dead-offset': '0' },
    });
    expect(others).toEqual([]);
    expect(bench.answeredIds()).toEqual(['r1']);
    expect(bench.pipeline.inFlight).toBe(0);
  });

  it('keeps a dead letter without its value when the broker refuses it', async () => {
    const bench = await started();
    bench.failNextCommit('beforeCommit', new RecordRefused('too large'));
    bench.log().append({ value: Buffer.from('hello') });
    bench.fetch();
    await bench.reach(() => {
      bench.fetch();
      return bench.transportOf().committed.offset === 1;
    });
    expect(bench.transportOf().visible).toMatchObject([
      { value: null, headers: { 'dead-code': 'wrong_framing', 'dead-value-omitted': 'too large' } },
    ]);
  });

  it('replaces an answer that the broker refuses by a failure', async () => {
    const bench = await started();
    bench.failNextCommit('beforeCommit', new RecordRefused('too large'));
    bench.publish('r1');
    bench.answer('r1');
    bench.fetch();
    await bench.reach(() => {
      bench.fetch();
      return bench.transportOf().committed.offset === 1;
    });
    expect(bench.responses()).toMatchObject([{ status: 'FAILED', error: { code: 'internal' } }]);
  });

  it('publishes an outcome of constant size when the broker refuses the others', async () => {
    const bench = await started();
    const transport = bench.transportOf();
    transport.beforeCommit = ({ records }) => {
      if (records.some(({ key }) => String(key).length > 100)) throw new RecordRefused('too large');
    };
    bench.publish('hopeless', 'k'.repeat(200));
    bench.answer('hopeless');
    await bench.reach(() => {
      bench.fetch();
      return transport.committed.offset === 1;
    });
    expect(bench.responses()).toMatchObject([
      { requestId: 'hopeless', status: 'FAILED', error: { code: 'internal' } },
    ]);
  });

  it('continues after an outcome that the broker refuses in every form', async () => {
    const bench = await started();
    const transport = bench.transportOf();
    transport.beforeCommit = ({ records }) => {
      if (records.some(({ value }) => Buffer.from(value ?? '').includes('hopeless')))
        throw new RecordRefused('too large');
    };
    bench.publish('hopeless');
    bench.publish('r2');
    bench.answer('hopeless');
    bench.answer('r2');
    await bench.reach(() => {
      bench.fetch();
      return transport.committed.offset === 2;
    });
    expect(bench.answeredIds()).toEqual(['r2']);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it('fails a request even if giving up on it fails too', async () => {
    const bench = await started();
    bench.completeFails = new Error('a bug');
    bench.publish('r1');
    bench.answer('r1', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    bench.fetch();
    await bench.reach(() => bench.answeredIds().length === 1);
    expect(bench.responses()).toMatchObject([{ status: 'FAILED', error: { code: 'internal' } }]);
    expect(bench.markedSettled).toEqual([]);
    expect(bench.pipeline.inFlightBytes).toBe(0);
  });

  it('makes requests wait while the database refuses every operation', async () => {
    const bench = await started();
    bench.completeFails = new StoreUnavailable('no rights');
    bench.publish('r1');
    bench.answer('r1', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    bench.fetch();
    await bench.reach(() => bench.logged.filter((line) => line.includes('trying again')).length > 5);
    expect(bench.answeredIds()).toEqual([]);
    bench.completeFails = null;
    await bench.reach(() => bench.answeredIds().length === 1);
  });

  it('reports visible outcomes to the ledger, and continues when that fails', async () => {
    const bench = await started();
    const outcome = {
      response: codec.encode('ChatResponse', { ...sampleResponse, requestId: 'done' }),
      responseGenerated: codec.encode('ResponseGenerated', {
        eventId: 'e',
        requestId: 'done',
        tenantId: 'default',
        conversationId: null,
        status: 'COMPLETED',
        provider: null,
        model: null,
        finishReasons: [],
        usage: null,
        totalMs: 1,
        labels: {},
        occurredAt: 1,
      }),
      cost: null,
      remembered: true,
    };
    bench.markSettledFails = true;
    bench.publish('done');
    bench.publish('refused');
    bench.publish('replayed');
    bench.answer('done', { kind: 'done', outcome, replay: false, settled: false });
    bench.answer('replayed', { kind: 'done', outcome, replay: true, settled: false });
    bench.answer('refused');
    bench.fetch();
    await bench.reach(() => bench.transportOf().committed.offset === 3);
    expect(bench.markedSettled).toEqual(['done', 'replayed']);
    expect(bench.responses().map(({ replayed }) => replayed)).toContain(true);
  });

  it('tries again when the service itself fails on a request, and finally fails the request', async () => {
    const bench = await started();
    let failures = 0;
    bench.onModel = () => {
      failures += 1;
      throw new TypeError('a bug');
    };
    bench.publish('r1');
    bench.answer('r1', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    bench.fetch();
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    expect(failures).toBe(3);
    expect(bench.completed).toEqual(['r1']);
    expect(bench.responses()).toMatchObject([
      { requestId: 'r1', status: 'FAILED', error: { code: 'internal', retryable: true } },
    ]);
  });

  it('reports its state', async () => {
    const bench = new PipelineBench();
    expect(bench.pipeline.wasAssigned).toBe(false);
    bench.pipeline.assigned('member-1', []);
    expect(bench.pipeline.wasAssigned).toBe(true);
    bench.pipeline.assigned('member-1', bench.logs);
    expect(bench.pipeline.laneStates()).toEqual({ opening: 2, open: 0, closed: 0, halted: 0 });
    expect(bench.pipeline.pausedPartitions).toBe(2);
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    expect(bench.pipeline.pausedPartitions).toBe(0);
  });

  it('halts only the partition whose map it cannot read', async () => {
    const bench = new PipelineBench();
    bench.transportOf(1).committed = { offset: 0, metadata: 'v9' };
    bench.pipeline.assigned('member-1', bench.logs);
    await bench.reach(() => bench.pipeline.laneStates().opening === 0);
    expect(bench.pipeline.laneStates()).toMatchObject({ open: 1, halted: 1 });
  });

  it('closes its lanes and reports when the source is dead', async () => {
    const bench = await started();
    const error = new Error('the consumer crashed');
    bench.publish('r1');
    bench.pipeline.crashed(error);
    bench.fetch();
    expect(bench.crashes).toEqual([error]);
    expect(bench.pipeline.laneStates().open).toBe(0);
    expect(bench.transports.map(({ openProducers }) => openProducers)).toEqual([0, 0]);
    expect(bench.pipeline.inFlight).toBe(0);
  });
});
