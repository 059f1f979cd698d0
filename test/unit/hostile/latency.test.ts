import { expect, it } from 'vitest';
import { latencyOf } from '../../hostile/run/latency.ts';

it('counts from publishing to the visible response, only within the span', () => {
  const published = Array.from({ length: 100 }, (_, at) => ({ requestId: `r${at}`, sentAt: at }));
  const answeredAt = new Map(
    published.map(({ requestId, sentAt }) => [requestId, sentAt + (sentAt === 60 ? 500 : 10)]),
  );
  expect(latencyOf(published, answeredAt, 0, 50)).toEqual({
    count: 50,
    missing: 0,
    p50: 10,
    p99: 10,
    max: 10,
  });
  expect(latencyOf(published, answeredAt, 50, 100)).toMatchObject({ count: 50, p50: 10, p99: 500, max: 500 });
});

it('counts an unanswered request as infinitely late', () => {
  const latency = latencyOf([{ requestId: 'a', sentAt: 1 }], new Map(), 0, 10);
  expect(latency).toMatchObject({ count: 1, missing: 1, p99: Number.POSITIVE_INFINITY });
});
