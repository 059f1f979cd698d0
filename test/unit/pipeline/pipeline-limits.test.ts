import { describe, expect, it } from 'vitest';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import { callTo } from '../../support/fakes/admission.ts';
import { turn } from '../../support/fakes/turn.ts';
import { PipelineBench, started } from './pipeline-bench.ts';

/** Requests with different keys, numbered from 0. */
function flood(bench: PipelineBench, count: number, partition = 0): void {
  for (let index = 0; index < count; index += 1) bench.publish(`r${index}`, `r${index}`, partition);
}

describe('Pipeline at its limits', () => {
  it('pauses at its limit of requests, resumes well below it, and drops nothing', async () => {
    const bench = await started({ maxInFlight: 1 });
    flood(bench, 150);
    bench.fetch();
    expect([bench.pipeline.inFlight, bench.pipeline.pausedPartitions]).toEqual([101, 1]);
    for (let index = 0; index < 20; index += 1) bench.answer(`r${index}`);
    await bench.reach(() => bench.pipeline.inFlight === 81);
    expect(bench.pipeline.pausedPartitions).toBe(1);
    bench.answer('r20');
    await bench.reach(() => bench.pipeline.inFlight === 80);
    expect(bench.pipeline.pausedPartitions).toBe(0);
    for (let index = 21; index < 150; index += 1) bench.answer(`r${index}`);
    await bench.reach(() => {
      bench.fetch();
      return bench.transportOf().committed.offset === 150;
    });
    expect(bench.answeredIds()).toEqual(Array.from({ length: 150 }, (_, index) => `r${index}`));
  });

  it('pauses at its limit of bytes, in every partition', async () => {
    const bench = await started({ maxInFlightBytes: 20_000 });
    bench.publish('large', 'k'.repeat(2_000));
    bench.publish('next');
    bench.publish('elsewhere', 'elsewhere', 1);
    bench.fetch();
    expect([bench.pipeline.inFlight, bench.pipeline.pausedPartitions]).toEqual([1, 2]);
    bench.answer('large');
    await bench.reach(() => bench.pipeline.inFlight === 0);
    expect(bench.pipeline.pausedPartitions).toBe(0);
    bench.fetch();
    expect(bench.pipeline.inFlight).toBe(2);
  });

  it('runs no more requests at a time than it may', async () => {
    const bench = await started({ maxInFlight: 2 });
    for (const name of ['a', 'b', 'c']) bench.publish(name);
    bench.fetch();
    await turn();
    expect(bench.claimed).toEqual(['a', 'b']);
  });

  it('lets tenants take turns', async () => {
    const bench = await started({ maxInFlight: 1 });
    for (const name of ['a1', 'a2', 'a3']) bench.publish(name, name, 0, { tenantId: 'a' });
    bench.publish('b1', 'b1', 0, { tenantId: 'b' });
    bench.fetch();
    for (const name of ['a1', 'a2', 'a3', 'b1']) bench.answer(name);
    await bench.reach(() => bench.pipeline.inFlight === 0);
    expect(bench.claimed.indexOf('b1')).toBeLessThan(bench.claimed.indexOf('a3'));
  });

  it('accepts requests that it knows from before a commit in doubt, although there is no room', async () => {
    const bench = await started({ maxInFlight: 1 });
    flood(bench, 101);
    bench.fetch();
    bench.failNextCommit('beforeCommit');
    bench.answer('r0');
    await bench.reach(() => {
      bench.fetch();
      return bench.answeredIds().length === 1;
    });
    expect(bench.pipeline.inFlight).toBe(100);
    expect(bench.claimed.filter((id) => id === 'r0')).toHaveLength(1);
  });

  it('resumes when it loses the partition whose requests filled it', async () => {
    const bench = await started({ maxInFlight: 1 });
    flood(bench, 101, 1);
    bench.source.fetchAll(bench.log(1));
    bench.publish('kept');
    bench.fetch();
    expect(bench.pipeline.pausedPartitions).toBe(1);
    await bench.assign(0);
    expect(bench.pipeline.inFlight).toBe(1);
    expect(bench.pipeline.pausedPartitions).toBe(0);
    bench.fetch();
    expect(bench.pipeline.inFlight).toBe(2);
  });

  it('resumes when it restarts', async () => {
    const bench = await started({ maxInFlight: 1 });
    flood(bench, 150);
    bench.fetch();
    bench.pipeline.startOver('the lease was lost');
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    expect(bench.pipeline.pausedPartitions).toBe(0);
    bench.fetch();
    expect(bench.pipeline.inFlight).toBe(101);
  });
});

describe('Pipeline that restarts', () => {
  it('ends running requests and handles them again from their records, with one outcome each', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.answer('r1', { kind: 'held', owner: 'worker-2', heldToken: 'theirs', replay: false });
    bench.fetch();
    await turn();
    bench.pipeline.startOver('the lease was lost');
    expect(bench.pipeline.inFlight).toBe(0);
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    bench.fetch();
    await bench.reach(() => bench.claimed.length === 2);
    expect(bench.pipeline.inFlight).toBe(1);
    await bench.pipeline.drain(10);
  });

  it('settles only one outcome when a request that it ended had already finished', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.fetch();
    await turn();
    bench.pipeline.startOver('the lease was lost');
    await bench.reach(() => bench.pipeline.laneStates().open === 2);
    bench.fetch();
    const commit = Promise.withResolvers<void>();
    bench.transportOf().beforeCommit = () => commit.promise;
    bench.answer('r1');
    await bench.reach(() => bench.claimed.length === 2);
    await turn();
    commit.resolve();
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    await turn();
    expect(bench.claimed).toEqual(['r1', 'r1']);
    expect(bench.answeredIds()).toEqual(['r1']);
    expect(bench.pipeline.inFlight).toBe(0);
  });
});

/** Makes the provider of a model unavailable from now on. */
function takeAway({ admission }: PipelineBench, model: string): void {
  for (let count = 0; count < 3; count += 1) {
    const permit = admission.tryEnter(callTo(model));
    permit?.begin();
    permit?.failed(new ChatFailure('provider_unavailable', 'down', true));
  }
}

describe('Pipeline with an unavailable model', () => {
  it('still handles requests of other models', async () => {
    const bench = await started({ maxInFlight: 1 });
    takeAway(bench, 'gpt-4');
    bench.publish('waits');
    bench.publish('passes', 'other', 0, { model: 'gpt-5' });
    bench.answer('passes');
    bench.fetch();
    await bench.reach(() => bench.answeredIds().length === 1);
    expect(bench.answeredIds()).toEqual(['passes']);
    expect(bench.claimed).toEqual(['passes']);
  });

  it('waits for none of its requests when it drains, and settles none', async () => {
    const bench = await started();
    takeAway(bench, 'gpt-4');
    bench.publish('waits');
    bench.fetch();
    await turn();
    expect(bench.pipeline.inFlight).toBe(1);
    await bench.pipeline.drain(1_000_000);
    expect(bench.pipeline.inFlight).toBe(0);
    expect(bench.claimed).toEqual([]);
    expect(bench.answeredIds()).toEqual([]);
  });
});

describe('Pipeline that drains', () => {
  it('finishes and settles running requests, begins none, and closes its lanes', async () => {
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

  it('ends requests that do not finish in time, without an outcome', async () => {
    const bench = await started();
    bench.publish('r1');
    bench.answer('r1', { kind: 'held', owner: 'worker-2', heldToken: 'theirs', replay: false });
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

  it('settles finished requests even if their transaction is in doubt', async () => {
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

  it('begins no request of newly assigned partitions or redelivered records while it drains', async () => {
    const bench = new PipelineBench();
    await bench.assign(0);
    bench.publish('r1');
    bench.publish('other', 'other', 1);
    bench.fetch();
    const drained = bench.pipeline.drain(10_000);
    await bench.assign(0, 1);
    expect(bench.source.isPaused(bench.log(1))).toBe(true);
    bench.source.resume(bench.log(1));
    bench.fetch();
    bench.answer('r1');
    await drained;
    expect(bench.claimed).toEqual(['r1']);
    expect(bench.answeredIds(1)).toEqual([]);
  });
});

describe('Pipeline without a free slot', () => {
  it('ends a request whose deadline passes before it begins', async () => {
    const bench = await started({ maxInFlight: 1 });
    bench.publish('busy');
    bench.publish('late', 'late', 0, { deadline: bench.clock.now() + 20 });
    bench.answer('late');
    bench.fetch();
    await bench.reach(() => bench.answeredIds().length === 1);
    expect(bench.answeredIds()).toEqual(['late']);
    expect(bench.claimed).toEqual(['busy', 'late']);
    expect(bench.called).toEqual([]);
    bench.answer('busy');
    await bench.reach(() => bench.pipeline.inFlight === 0);
  });
});
