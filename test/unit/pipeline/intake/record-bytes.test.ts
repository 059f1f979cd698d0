import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mapMessage } from '../../../../src/adapters/kafka/kafkajs/map-record.ts';
import { encodeRecord } from '../../../../src/adapters/kafka/kafkajs/record-encoding.ts';
import { heldBytes, recordBytes } from '../../../../src/pipeline/intake/record-bytes.ts';
import type { OutboundRecord } from '../../../../src/ports/kafka.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const value = fc.option(fc.oneof(bytes, fc.string({ unit: 'grapheme' })));
const record = fc.record({
  topic: fc.constant('t'),
  key: value,
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme' }),
    fc.oneof(value, fc.array(value, { maxLength: 40 })),
  ),
});

function encodedBytes(one: OutboundRecord): number {
  const { key = null, value: content, headers = {} } = mapMessage(one);
  return encodeRecord({ key, value: content, headers, offsetDelta: 2 ** 31 - 1, timestampDelta: 2 ** 40 })
    .buffer.length;
}

it('is never less than a record’s size in a batch, and little more', () => {
  fc.assert(
    fc.property(record, (one) => {
      const headers = Object.values(one.headers).flat().length;
      expect(recordBytes(one)).toBeGreaterThanOrEqual(encodedBytes(one));
      expect(recordBytes(one)).toBeLessThanOrEqual(encodedBytes(one) + 64 + 10 * headers);
    }),
    { numRuns: 500 },
  );
});

it('counts the bytes of text, not its characters', () => {
  const of = (key: string) => recordBytes({ topic: 't', key, value: null, headers: { [key]: [key, key] } });
  expect(of('€€€€') - of('aaaa')).toBe(4 * 4 * 2 + 8);
});

it('counts what headers hold in memory, also empty ones', () => {
  const place = { topic: 't', partition: 0, offset: 0, timestamp: 0 };
  const inbound = { ...place, key: Buffer.alloc(3), value: null, headers: {} };
  expect(heldBytes(inbound)).toBe(3);
  const empty = Array.from({ length: 1_000 }, () => Buffer.alloc(0));
  expect(heldBytes({ ...inbound, headers: { empty, one: Buffer.alloc(5), none: null } })).toBe(
    3 + 1_002 * 128 + 12,
  );
});
