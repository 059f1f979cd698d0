import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packRecords, unpackRecords } from '../../../src/adapters/kafka/writer/pack-records.ts';
import type { HeaderValue, OutboundRecord } from '../../../src/ports/kafka.ts';

const bytes = fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const value = fc.oneof(text, bytes);
const record: fc.Arbitrary<OutboundRecord> = fc
  .record({
    topic: fc.constantFrom('chat.responses', 'chat.costs', 'chat.chunks'),
    partition: fc.option(fc.nat({ max: 10_000 }), { nil: undefined }),
    key: fc.option(value),
    value: fc.option(bytes),
    headers: fc.dictionary(
      fc.oneof(text, fc.constantFrom('__proto__', 'toString')),
      fc.oneof(fc.option(value), fc.array(fc.option(value), { minLength: 2, maxLength: 3 })),
      { noNullPrototype: false },
    ),
  })
  .map(({ partition, ...rest }) => ({ ...rest, ...(partition !== undefined && { partition }) }));

describe('packed records', () => {
  it('are unpacked unchanged, with text as bytes', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (records) => {
        expect(unpackRecords(packRecords(records))).toEqual(records.map(asBytes));
      }),
    );
  });

  it('name each topic and header once', () => {
    const headers = { ce_id: 'one', 'content-type': 'application/avro' };
    const one: OutboundRecord = { topic: 'chat.costs', key: 'k', value: null, headers };
    const { topics, headerNames } = packRecords([one, one, one]);
    expect(topics).toEqual(['chat.costs']);
    expect(headerNames).toEqual(['ce_id', 'content-type']);
  });

  it('support any number of topics and header names', () => {
    const records = Array.from({ length: 70_000 }, (_, at) => ({
      topic: `t${at}`,
      key: null,
      value: null,
      headers: { [`h${at}`]: Buffer.from('v') },
    }));
    expect(unpackRecords(packRecords(records)).at(-1)).toEqual(records.at(-1));
  });

  it('support any number of values of one header', () => {
    const many = Array.from({ length: 100_000 }, (_, at) => Buffer.from(String(at)));
    const one: OutboundRecord = { topic: 'chat.costs', key: null, value: null, headers: { many } };
    expect(unpackRecords(packRecords([one]))).toEqual([one]);
  });

  it('leave out headers that have no value', () => {
    const one: OutboundRecord = { topic: 'chat.costs', key: null, value: null, headers: { a: undefined } };
    expect(unpackRecords(packRecords([one]))).toEqual([{ ...one, headers: {} }]);
  });
});

function asBytes(one: OutboundRecord): OutboundRecord {
  const headers = Object.fromEntries(
    Object.entries(one.headers).map(([name, header]) => [name, headerBytes(header)]),
  );
  return { ...one, key: one.key === null ? null : Buffer.from(one.key), headers };
}

function headerBytes(header: HeaderValue): HeaderValue {
  if (Array.isArray(header)) return header.map((one) => (one === null ? null : Buffer.from(one)));
  return header === undefined || header === null ? header : Buffer.from(header);
}
