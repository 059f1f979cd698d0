import { expect, it } from 'vitest';
import { countEvent } from '../../../src/spend/count-event.ts';
import { costEvent } from '../../support/cost-events.ts';
import { codec } from '../../support/fakes/handling.ts';

const record = (value: Buffer | null) => ({
  topic: 'chat.costs',
  partition: 0,
  offset: 0,
  timestamp: 0,
  key: null,
  value,
  headers: {},
});
const options = { codec, chargeIdTtlMs: 1_000 };
const count = (members: Parameters<typeof costEvent>[1]) =>
  countEvent(record(codec.encode('CostCalculated', costEvent('r', members))), options);

it('a charge at another time is a different one, and is forgotten with its request', () => {
  expect(count({ occurredAt: 5_000 })).toMatchObject({ id: 'event-r@5000', keepUntil: 6_000 });
  expect(count({ occurredAt: 5_001 })).toMatchObject({ id: 'event-r@5001' });
});

it('an adjustment is the same one at any time, permanently', () => {
  const adjustment = { kind: 'ADJUSTMENT', reason: 'late_price' } as const;
  expect(count({ ...adjustment, occurredAt: 5_000 })).toMatchObject({ id: 'event-r', keepUntil: null });
});

it('an invalid cost event is reported, and a bug is not treated as one', () => {
  expect(countEvent(record(null), options)).toMatch(/./);
  expect(count({ currency: null })).toContain('without a currency');
  const broken = {
    ...codec,
    decode: () => {
      throw new TypeError('a bug');
    },
  };
  expect(() => countEvent(record(null), { ...options, codec: broken })).toThrow(TypeError);
});
