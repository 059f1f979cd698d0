import { describe, expect, it } from 'vitest';
import { ProducerDisconnected } from '../../../src/ports/kafka.ts';
import { turn } from '../../support/fakes/turn.ts';
import { PipelineBench, started } from './pipeline-bench.ts';

describe('Pipeline in doubt', () => {
  it('does not restart running requests', async () => {
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

  it.each([
    ['warn', 'settle transaction in doubt; reopening the lane', new Error('timeout')],
    [
      'info',
      'the producer was disconnected; reopening the lane',
      new ProducerDisconnected('closed while idle'),
    ],
  ])('still answers, and logs %s', async (level, message, error) => {
    const bench = await started();
    bench.publish('r1');
    bench.answer('r1');
    bench.failNextCommit('beforeCommit', error);
    bench.fetch();
    await bench.reach(() => {
      bench.fetch();
      return bench.answeredIds().includes('r1');
    });
    const lines = bench.logged.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes('opening'));
    expect(lines).toMatchObject([{ level, msg: message, partition: 0 }]);
    expect(bench.logged.join()).toContain(error.message);
  });

  it('forgets requests that were committed although the response was lost', async () => {
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

  it('settles a running request whose record was deleted from the log', async () => {
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
    bench.answer('gone');
    await bench.reach(() => bench.transportOf().committed.offset === 3);
    expect(bench.pipeline.inFlight).toBe(0);
    expect(bench.answeredIds().toSorted()).toEqual(['gone', 'kept', 'quick']);
  });

  it('ends requests in flight when their topic was recreated, and answers the new topic from its start', async () => {
    const bench = await started();
    bench.publish('quick');
    bench.publish('old');
    bench.answer('quick');
    bench.transportOf().beforeCommit = () => {
      bench.transportOf().beforeCommit = () => undefined;
      bench.log().recreate();
      throw new Error('unknown topic or partition');
    };
    bench.fetch();
    await bench.reach(() => bench.transportOf().steps.length === 6 && bench.pipeline.laneStates().open === 2);
    expect(bench.pipeline.inFlight).toBe(0);
    bench.log().append({ value: Buffer.from('no request') });
    bench.publish('new');
    bench.fetch();
    bench.answer('new');
    await bench.reach(() => bench.transportOf().committed.offset === 2);
    bench.answer('old');
    await turn();
    expect(bench.answeredIds()).toEqual(['new']);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it('reads the topic id at every assignment', async () => {
    const bench = await started();
    bench.publish('quick');
    bench.fetch();
    bench.answer('quick');
    await bench.reach(() => bench.transportOf().committed.offset === 1);
    bench.log().recreate();
    bench.publish('new');
    await bench.assign(0, 1);
    await bench.reach(() => bench.transportOf().steps.length === 6);
    bench.fetch();
    bench.answer('new');
    await bench.reach(() => bench.answeredIds().includes('new'));
  });
});

describe('Pipeline during rebalances', () => {
  it('continues with kept partitions and stops with lost ones', async () => {
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

  it('keeps the order of a key when a partition returns while a later request of it runs', async () => {
    const bench = await started();
    bench.publish('first', 'a');
    bench.publish('second', 'a');
    bench.transportOf().beforeCommit = () => new Promise(() => undefined);
    bench.fetch();
    bench.answer('first');
    await bench.reach(() => bench.claimed.includes('second'));
    await bench.assign(1);
    bench.transportOf().beforeCommit = () => undefined;
    await bench.assign(0, 1);
    bench.fetch();
    bench.answer('second');
    bench.answer('first');
    await bench.reach(() => bench.transportOf().committed.offset === 2);
    expect(bench.answeredIds()).toEqual(['first', 'second']);
    expect(bench.claimed).toEqual(['first', 'second']);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it('leaves waiting requests of a lost partition to others, and lets running ones finish', async () => {
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

  it('attaches running requests when their partition returns', async () => {
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

  it('reopens a lane that had closed itself', async () => {
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
    const batch = {
      topic: 'elsewhere',
      partition: 0,
      fetchedOffset: 0,
      highWatermark: 1,
      logStart: 0,
      records: [],
      nextOffset: 1,
    };
    expect(bench.pipeline.fetched(batch)).toBe(false);
  });
});

describe('Pipeline whose source is interrupted', () => {
  const interruption = new Error('the group coordinator is not available');

  it('closes its lanes, leaves waiting requests to others, and lets running ones finish into the ledger', async () => {
    const bench = await started();
    bench.publish('running', 'a');
    bench.publish('waiting', 'a');
    bench.fetch();
    bench.pipeline.interrupted(interruption);
    expect(bench.pipeline.laneStates()).toEqual({ opening: 0, open: 0, closed: 0, halted: 0 });
    expect(bench.transports.map(({ openProducers }) => openProducers)).toEqual([0, 0]);
    expect(bench.pipeline.inFlight).toBe(1);

    bench.publish('later', 'b');
    bench.fetch();
    bench.answer('running', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    await bench.reach(() => bench.pipeline.inFlight === 0);
    await turn();
    expect(bench.completed).toEqual(['running']);
    expect(bench.claimed).toEqual(['running']);
    expect(bench.answeredIds()).toEqual([]);
    expect(bench.crashes).toEqual([]);
  });

  it('attaches running requests when it is assigned again, and then handles those that had waited', async () => {
    const bench = await started();
    bench.publish('running', 'a');
    bench.publish('waiting', 'a');
    bench.fetch();
    bench.pipeline.interrupted(interruption);
    await bench.assign(0, 1);
    bench.fetch();
    expect(bench.pipeline.inFlight).toBe(2);
    bench.answer('waiting');
    bench.answer('running', { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    await bench.reach(() => bench.transportOf().committed.offset === 2);
    expect(bench.claimed).toEqual(['running', 'waiting']);
    expect(bench.called).toEqual(['running']);
    expect(bench.answeredIds()).toEqual(['running', 'waiting']);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });
});
