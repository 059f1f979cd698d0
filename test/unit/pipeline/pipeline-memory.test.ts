import { describe, expect, it } from 'vitest';
import { turn } from '../../support/fakes/turn.ts';
import { started } from './pipeline-bench.ts';

const MAX_BYTES = 20_000_000;
const ANSWER_BYTES = 800_000;
const REQUESTS = 100;

describe('Pipeline with large answers', () => {
  it('stays below its limit of bytes while a lane cannot settle, and then continues with one call per request', async () => {
    const bench = await started({ maxInFlight: 1_000, maxInFlightBytes: MAX_BYTES });
    bench.answerBytes = ANSWER_BYTES;
    const reopened = Promise.withResolvers<void>();
    bench.transportOf().beforeCommit = () => reopened.promise;
    for (let index = 0; index < REQUESTS; index += 1) {
      bench.publish(`r${index}`, `r${index}`, 0, { stream: false });
      bench.answer(`r${index}`, { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    }
    bench.fetch();

    let most = 0;
    let called = -1;
    // Until nothing changes any more.
    for (let still = 0; still < 500; still = bench.called.length === called ? still + 1 : 0) {
      called = bench.called.length;
      most = Math.max(most, bench.pipeline.inFlightBytes);
      await turn();
    }
    expect(most).toBeLessThan(MAX_BYTES);
    expect(bench.called.length).toBeGreaterThan(0);
    expect(bench.pipeline.waitingForMemory).toBeGreaterThan(0);
    expect(bench.answeredIds()).toEqual([]);

    reopened.resolve();
    await bench.reach(() => {
      most = Math.max(most, bench.pipeline.inFlightBytes);
      bench.fetch();
      return bench.transportOf().committed.offset === REQUESTS;
    });
    expect(most).toBeLessThan(MAX_BYTES);
    expect(bench.responses().every(({ status }) => status === 'COMPLETED')).toBe(true);
    expect(new Set(bench.called).size).toBe(bench.called.length);
    expect([bench.pipeline.inFlight, bench.pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it('ends requests that wait for memory when it drains, and settles none of them', async () => {
    const bench = await started({ maxInFlight: 1_000, maxInFlightBytes: MAX_BYTES });
    bench.answerBytes = ANSWER_BYTES;
    bench.transportOf().beforeCommit = () => new Promise(() => undefined);
    for (let index = 0; index < REQUESTS; index += 1) {
      bench.publish(`r${index}`, `r${index}`, 0, { stream: false });
      bench.answer(`r${index}`, { kind: 'claimed', attempt: 1, earlier: [], quarantined: false });
    }
    bench.fetch();
    await bench.reach(() => bench.pipeline.waitingForMemory > 0);
    await bench.pipeline.drain(50);
    expect(bench.answeredIds()).toEqual([]);
    expect(bench.pipeline.waitingForMemory).toBe(0);
  });
});
