import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mapMessage } from '../../../src/adapters/kafka/map-record.ts';
import { encodeRecord } from '../../../src/adapters/kafka/record-encoding.ts';
import { recordBytes } from '../../../src/pipeline/record-bytes.ts';
import type { OutboundRecord } from '../../../src/ports.ts';

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

it('is never less than what a record takes in a batch, and little more', () => {
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
