import { afterEach, describe, expect, it } from 'vitest';
import { clockAhead } from '../support/clock-ahead.ts';
import { request, World } from '../support/world.ts';

const MINUTE_MS = 60_000;

let world: World;
afterEach(() => world?.close());

describe('a worker whose clock is ahead of the brokers’', () => {
  it.each([70 * MINUTE_MS, 3 * 24 * 60 * MINUTE_MS])(
    'by %i ms loses no answer, no bill and no dead letter',
    async (aheadMs) => {
      world = await World.create({ partitions: 2 });
      const history = await world.readHistory();
      await world.startWorker(clockAhead(aheadMs));
      const ids = Array.from({ length: 10 }, (_, index) => `r-${index}`);
      await world.publish(ids.map((id) => request(id)));
      await world.publish([request('refused', { temperature: 7 })]);
      await world.publishRaw(Buffer.from('no request'), { key: 'c-1', partition: 0 });
      await history.untilAnswered(11);
      await history.until(({ dead }) => dead.length === 1);

      const statuses = Object.fromEntries(
        history.responses.map(({ value }) => [value.requestId, value.status]),
      );
      expect(statuses).toEqual({
        ...Object.fromEntries(ids.map((id) => [id, 'COMPLETED'])),
        refused: 'FAILED',
      });
      expect(history.costs.map(({ value }) => value.requestId).sort()).toEqual([...ids].sort());
      // No reported time is further in the future than brokers accept.
      const latest = Math.max(...history.responses.map(({ source }) => source.timestamp));
      expect(latest).toBeLessThan(Date.now() + 60 * MINUTE_MS);
      expect(Math.min(...history.responses.map(({ source }) => source.timestamp))).toBeGreaterThan(0);
    },
    60_000,
  );
});
