import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSingleObjectCodec } from '../../../../src/adapters/avro/single-object-codec.ts';
import { readHeaders } from '../../../../src/pipeline/intake/read-headers.ts';
import type { InboundRecord, RecordHeaders } from '../../../../src/ports/kafka.ts';
import { sampleCost, sampleResponse } from '../../../contract/sample-records.ts';

const codec = createSingleObjectCodec(1_000_000);

function read(headers: RecordHeaders) {
  const record: InboundRecord = {
    topic: 'chat.requests',
    partition: 0,
    offset: 7,
    timestamp: 1,
    key: null,
    value: null,
    headers,
  };
  return readHeaders(record);
}

const names = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '$set', 'a.b', '0', '-1', '\0'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
);

describe('labels', () => {
  it('are in response and bill under any name', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(names, fc.string({ minLength: 1 })), { selector: ([name]) => name }),
        (pairs) => {
          const headers = Object.create(null) as RecordHeaders;
          for (const [name, value] of pairs) headers[`label-${name}`] = Buffer.from(value);
          const { fields, problems } = read(headers);
          expect(problems).toEqual([]);
          const sent = Object.entries(fields.labels);
          expect(sent.map(([name, value]) => [name, value]).sort()).toEqual([...pairs].sort());
          for (const [name, sample] of [
            ['ChatResponse', sampleResponse],
            ['CostCalculated', sampleCost],
          ] as const) {
            const value = codec.encode(name, { ...sample, labels: fields.labels } as never);
            const { labels } = codec.decode(name, value).record as { labels: Record<string, string> };
            expect(Object.entries(labels)).toEqual(sent);
            expect(Object.getPrototypeOf(labels)).toBeNull();
            // As when the ledger’s copy is written and read again.
            const again = codec.encode(name, { ...sample, labels } as never);
            expect(again.equals(value)).toBe(true);
          }
        },
      ),
    );
  });
});

describe('very many headers', () => {
  const headersOf = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, 'a']));

  it('are answered, and no header is read as a label', () => {
    const { fields, problems } = read({ ...headersOf(90_000), 'request-id': 'r' });
    expect(problems).toMatchObject([{ path: 'headers', code: 'too_large' }]);
    expect(fields).toMatchObject({ requestId: 'r', labels: {} });
  });

  it('are read up to their limit', () => {
    expect(Object.keys(read(headersOf(16_384)).fields.labels)).toHaveLength(16_384);
  });
});

describe('fallback-models', () => {
  it.each<[string, string[]]>([
    ['a,b', ['a', 'b']],
    [' a , b c\t,,d ', ['a', 'b c', 'd']],
    ['', []],
    [' , ', []],
  ])('%j names %j', (header, models) => {
    expect(read({ 'fallback-models': header }).fields.fallbackModels).toEqual(models);
  });

  it('reads a list of only spaces of any length', () => {
    expect(read({ 'fallback-models': ' '.repeat(900_000) }).fields.fallbackModels).toEqual([]);
  });
});
