import { describe, expect, it } from 'vitest';
import { RecordRefused } from '../../../src/ports.ts';
import { sampleResponse } from '../../contract/sample-records.ts';
import { turn } from '../../support/fakes/turn.ts';
import { codec, PipelineBench } from './pipeline-bench.ts';

async function started(limits?: ConstructorParameters<typeof PipelineBench>[0]): Promise<PipelineBench> {
  const bench = new PipelineBench(limits);
  await bench.assign(0, 1);
  return bench;
}

describe('Pipeline', () => {
  it('brings a request from its record to its visible response', async () => {
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

  it('handles requests of one key in one partition in order, others beside them', async () => {
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

  it('has one dead letter for what it cannot read, and goes on behind it', async () => {
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

  it('tells the ledger which of its outcomes are visible, and does not mind when that fails', async () => {
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

  it('tries again when the service itself fails on a request, and gives it a failure in the end', async () => {
    const bench = await started();
    let failures = 0;
    bench.onModel = () => {
      failures += 1;
      throw new TypeError('a bug');
    };
    bench.publish('r1');
    bench.answer('r1', { kind: 'claimed', attempt: 1, earlier: [] });
    bench.fetch();
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    expect(failures).toBe(3);
    expect(bench.completed).toEqual(['r1']);
    expect(bench.responses()).toMatchObject([
      { requestId: 'r1', status: 'FAILED', error: { code: 'internal', retryable: true } },
    ]);
  });

  it('reports what it has and does', async () => {
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

  it('closes its lanes and tells when the source is dead', async () => {
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

describe('Pipeline in doubt', () => {
  it('does not run again what runs', async () => {
    const bench = await started();
    bench.publish('slow');
    bench.publish('quick');
    bench.answer('quick');
    bench.failNextCommit('beforeCommit');
    bench.fetch();
    await bench.reach(() => {
      bench.fetch();
      return bench.answeredIds().includes('quick');
    });
    bench.answer('slow');
    await bench.reach(() => bench.transportOf().committed.offset === 2);
    expect(bench.claimed).toEqual(['slow', 'quick']);
    expect(bench.answeredIds()).toEqual(['quick', 'slow']);
    expect(bench.pipeline.inFlight).toBe(0);
  });

  it('forgets what was committed although its answer was lost', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.publish('slow');
    bench.answer('r1');
    bench.failNextCommit('afterCommit');
    bench.fetch();
    await bench.reach(() => bench.transportOf().steps.length === 6 && bench.pipeline.laneStates().open === 2);
    bench.fetch();
    expect(bench.pipeline.inFlight).toBe(1);
    bench.answer('slow');
    await bench.reach(() => bench.transportOf().committed.offset === 2);
    expect(bench.answeredIds()).toEqual(['r1', 'slow']);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it('forgets what was deleted from the log before it could be settled', async () => {
    const bench = await started();
    bench.publish('gone');
    bench.publish('quick');
    bench.publish('kept');
    bench.answer('quick');
    bench.failNextCommit('beforeCommit');
    bench.fetch();
    await bench.reach(() => bench.transportOf().steps.length === 6 && bench.pipeline.laneStates().open === 2);
    bench.log().deleteBelow(1);
    bench.fetch();
    bench.answer('kept');
    await bench.reach(() => bench.transportOf().committed.offset === 3);
    expect(bench.pipeline.inFlight).toBe(0);
    bench.answer('gone');
    await turn();
    await turn();
    expect(bench.answeredIds().toSorted()).toEqual(['kept', 'quick']);
  });

  it('handles a record of a topic that was created again, though an older one lay at its place', async () => {
    const bench = await started();
    bench.publish('old');
    bench.publish('quick');
    bench.answer('quick');
    bench.transportOf().beforeCommit = () => {
      bench.transportOf().beforeCommit = () => undefined;
      bench.log().recreate();
      throw new Error('unknown topic or partition');
    };
    bench.fetch();
    await bench.reach(() => bench.transportOf().steps.length === 6 && bench.pipeline.laneStates().open === 2);
    const value = codec.encode('ChatRequest', {
      requestId: 'new',
      messages: [{ role: 'user', content: 'Hi' }],
    });
    bench.log().append({ value, timestamp: 9_999 });
    bench.fetch();
    bench.answer('new');
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    expect(bench.answeredIds()).toEqual(['new']);
    bench.answer('old');
    await turn();
    expect(bench.answeredIds()).toEqual(['new']);
  });
});

describe('Pipeline whose partitions come and go', () => {
  it('goes on with kept partitions and stops with lost ones', async () => {
    const bench = await started();
    bench.publish('kept');
    bench.publish('lost', 'lost', 1);
    bench.fetch();
    await bench.assign(0);
    bench.answer('kept');
    bench.answer('lost');
    await bench.reach(() => bench.transportOf(0).committed.offset === 1 && bench.pipeline.inFlight === 0);
    expect(bench.transportOf(0).steps).toHaveLength(3);
    expect(bench.answeredIds(1)).toEqual([]);
    expect(bench.transportOf(1).openProducers).toBe(0);
  });

  it('leaves to others what waits in a lost partition, and lets finish what runs', async () => {
    const bench = await started();
    bench.publish('running', 'a', 1);
    bench.publish('waiting', 'a', 1);
    bench.fetch();
    await bench.assign(0);
    expect(bench.pipeline.inFlight).toBe(1);
    bench.answer('running');
    await bench.reach(() => bench.pipeline.inFlight === 0);
    await turn();
    expect(bench.claimed).toEqual(['running']);
  });

  it('attaches what still runs when a partition comes back', async () => {
    const bench = await started();
    bench.publish('r1', 'r1', 1);
    bench.fetch();
    await bench.assign(0);
    await bench.assign(0, 1);
    bench.fetch();
    bench.answer('r1');
    await bench.reach(() => bench.transportOf(1).committed.offset === 1);
    expect(bench.claimed).toEqual(['r1']);
    expect(bench.answeredIds(1)).toEqual(['r1']);
    expect(bench.pipeline.inFlight).toBe(0);
  });

  it('opens a lane again that had closed itself', async () => {
    const bench = new PipelineBench();
    bench.transportOf(0).holder = null;
    bench.pipeline.assigned('member-1', [bench.log(0)]);
    await bench.reach(() => bench.pipeline.laneStates().closed === 1);
    bench.transportOf(0).holder = 'member-1';
    await bench.assign(0);
    bench.publish('r1');
    bench.answer('r1');
    bench.fetch();
    await bench.reach(() => bench.answeredIds().length === 1);
  });

  it('accepts nothing for a partition that it does not have', async () => {
    const bench = await started();
    const batch = { topic: 'elsewhere', partition: 0, fetchedOffset: 0, highWatermark: 1, records: [] };
    expect(bench.pipeline.fetched(batch)).toBe(false);
  });
});

describe('Pipeline at its limits', () => {
  it('pauses every partition at its limit of requests, and resumes them well below', async () => {
    const bench = await started({ maxInFlight: 1 });
    for (let index = 0; index < 101; index += 1) bench.publish(`r${index}`);
    bench.fetch();
    expect(bench.pipeline.pausedPartitions).toBe(2);
    for (let index = 0; index < 20; index += 1) bench.answer(`r${index}`);
    await bench.reach(() => bench.pipeline.inFlight === 81);
    expect(bench.pipeline.pausedPartitions).toBe(2);
    bench.answer('r20');
    await bench.reach(() => bench.pipeline.inFlight === 80);
    expect(bench.pipeline.pausedPartitions).toBe(0);
  });

  it('pauses every partition at its limit of bytes, those that come later too', async () => {
    const bench = new PipelineBench({ maxInFlightBytes: 1_000 });
    await bench.assign(0);
    bench.publish('r1', 'k'.repeat(1_000));
    bench.fetch();
    expect(bench.pipeline.pausedPartitions).toBe(1);
    await bench.assign(0, 1);
    expect(bench.pipeline.pausedPartitions).toBe(2);
    bench.answer('r1');
    await bench.reach(() => bench.pipeline.inFlight === 0);
    expect(bench.pipeline.pausedPartitions).toBe(0);
  });

  it('runs no more requests at a time than it may', async () => {
    const bench = await started({ maxInFlight: 2 });
    for (const name of ['a', 'b', 'c']) bench.publish(name);
    bench.fetch();
    await turn();
    expect(bench.claimed).toEqual(['a', 'b']);
  });

  it('resumes when what filled it went away with its partition', async () => {
    const bench = await started({ maxInFlight: 1 });
    for (let index = 0; index < 101; index += 1) bench.publish(`r${index}`, `r${index}`, 1);
    bench.fetch();
    expect(bench.pipeline.pausedPartitions).toBe(2);
    await bench.assign(0);
    expect(bench.pipeline.inFlight).toBe(1);
    expect(bench.pipeline.pausedPartitions).toBe(0);
  });

  it('resumes when it starts over', async () => {
    const bench = await started({ maxInFlight: 1 });
    for (let index = 0; index < 101; index += 1) bench.publish(`r${index}`);
    bench.fetch();
    bench.pipeline.startOver();
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    expect(bench.pipeline.pausedPartitions).toBe(0);
  });
});

describe('Pipeline that starts over', () => {
  it('ends what runs and handles it again from its record, with one outcome', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.answer('r1', { kind: 'held', owner: 'worker-2' });
    bench.fetch();
    await turn();
    bench.pipeline.startOver();
    expect(bench.pipeline.inFlight).toBe(0);
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    bench.fetch();
    await bench.reach(() => bench.claimed.length === 2);
    expect(bench.pipeline.inFlight).toBe(1);
    await bench.pipeline.drain(10);
  });

  it('settles one outcome only, when a request that it ended had finished all the same', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.fetch();
    await turn();
    bench.pipeline.startOver();
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    bench.fetch();
    bench.answer('r1');
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    await turn();
    expect(bench.claimed).toEqual(['r1', 'r1']);
    expect(bench.answeredIds()).toEqual(['r1']);
    expect(bench.pipeline.inFlight).toBe(0);
  });
});

describe('Pipeline that drains', () => {
  it('finishes and settles what runs, begins nothing, and closes its lanes', async () => {
    const bench = await started({ maxInFlight: 1 });
    bench.publish('running');
    bench.publish('waiting');
    bench.fetch();
    await turn();
    const drained = bench.pipeline.drain(10_000);
    bench.publish('late');
    bench.fetch();
    bench.answer('running');
    await drained;
    expect(bench.answeredIds()).toEqual(['running']);
    expect(bench.claimed).toEqual(['running']);
    expect(bench.transportOf().committed.offset).toBe(1);
    expect(bench.pipeline.laneStates()).toEqual({ opening: 0, open: 0, closed: 0, halted: 0 });
    expect(bench.transports.map(({ openProducers }) => openProducers)).toEqual([0, 0]);
  });

  it('is done at once when nothing runs', async () => {
    const bench = await started();
    await bench.pipeline.drain(10_000);
    expect(bench.pipeline.laneStates().open).toBe(0);
  });

  it('ends without an outcome what has not finished in time', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.answer('r1', { kind: 'held', owner: 'worker-2' });
    bench.fetch();
    await turn();
    await bench.pipeline.drain(20);
    expect(bench.pipeline.inFlight).toBe(0);
    expect(bench.transportOf().visible).toEqual([]);
    expect(bench.transportOf().committed.offset).toBeNull();
  });

  it('stops even when a request cannot be ended', async () => {
    const bench = await started();
    bench.publish('stuck');
    bench.fetch();
    await bench.pipeline.drain(5);
    expect(bench.pipeline.laneStates().open).toBe(0);
  });

  it('settles what finished although its transaction is in doubt meanwhile', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.fetch();
    const drained = bench.pipeline.drain(10_000);
    bench.failNextCommit('beforeCommit');
    bench.answer('r1');
    const fetching = bench.reach(() => {
      bench.fetch();
      return bench.answeredIds().length === 1;
    });
    await Promise.all([drained, fetching]);
    expect(bench.answeredIds()).toEqual(['r1']);
  });

  it('begins nothing of partitions that come while it drains, nor of records that come again', async () => {
    const bench = new PipelineBench();
    await bench.assign(0);
    bench.publish('r1');
    bench.publish('other', 'other', 1);
    bench.fetch();
    const drained = bench.pipeline.drain(10_000);
    await bench.assign(0, 1);
    bench.fetch();
    bench.source.resume(bench.log(1));
    bench.fetch();
    bench.answer('r1');
    await drained;
    expect(bench.claimed).toEqual(['r1']);
    expect(bench.answeredIds(1)).toEqual([]);
  });
});
