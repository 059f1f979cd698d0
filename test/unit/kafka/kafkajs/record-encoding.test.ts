import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeRecord,
  installRecordEncoding,
  type RecordToEncode,
} from '../../../../src/adapters/kafka/kafkajs/record-encoding.ts';

const require = createRequire(import.meta.url);
const path = require.resolve('kafkajs/src/protocol/recordBatch/record/v0/index.js');
const byKafkajs = require(path) as (record: RecordToEncode) => { buffer: Buffer };

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const headerValue = fc.oneof(fc.string({ unit: 'grapheme' }), bytes);
const record = fc.record({
  key: fc.option(fc.oneof(fc.string({ unit: 'grapheme' }), bytes)),
  value: fc.option(fc.oneof(fc.string({ unit: 'grapheme' }), bytes)),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.oneof(headerValue, fc.array(headerValue, { maxLength: 4 })),
    { noNullPrototype: true },
  ),
  offsetDelta: fc.nat(),
  timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
});

describe('the encoding of a record', () => {
  it('equals the encoding of kafkajs byte for byte', () => {
    fc.assert(
      fc.property(record, (one) => {
        expect(encodeRecord(one).buffer).toEqual(Buffer.from(byKafkajs(one).buffer));
      }),
      { numRuns: 500 },
    );
  });

  it('supports a length that needs more than one byte', () => {
    const one = { key: 'k', value: Buffer.alloc(70_000, 7) };
    expect(encodeRecord(one).buffer).toEqual(Buffer.from(byKafkajs(one).buffer));
  });

  it('replaces the one in kafkajs', () => {
    installRecordEncoding();
    expect(require(path)).toBe(encodeRecord);
  });
});
