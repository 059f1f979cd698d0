import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { createAvroCodec, type OutputFraming } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import type { RecordName } from '../../../src/contract/record-types.ts';
import { UndecodableRecord } from '../../../src/contract/undecodable-record.ts';
import { sampleCost, sampleRequest, sampleResponse } from '../../contract/sample-records.ts';

const schemas = loadSchemas();
const singleObject = createAvroCodec({ schemas, framing: { kind: 'single-object' }, maxBytes: 1_000_000 });

/** A codec whose registry knows only these schemas, from id 1. */
function withRegistry(...registered: string[]) {
  const schemaOf = vi.fn((id: number) => registered[id - 1]);
  const framing: OutputFraming = { kind: 'confluent', idOf: () => 1, schemaOf };
  return { codec: createAvroCodec({ schemas, framing, maxBytes: 1_000_000 }), schemaOf };
}

function refusal(action: () => unknown): UndecodableRecord {
  try {
    action();
  } catch (error) {
    if (error instanceof UndecodableRecord) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** A CancelRequest's frame with another body. */
function framed(bodyHex: string): Buffer {
  const header = singleObject.encode('CancelRequest', { requestId: 'r' }).subarray(0, 10);
  return Buffer.concat([header, Buffer.from(bodyHex, 'hex')]);
}

describe('a record', () => {
  test('is read as it was written', () => {
    const { record, unknownFields } = singleObject.decode(
      'ChatResponse',
      singleObject.encode('ChatResponse', sampleResponse),
    );
    expect(record).toEqual(sampleResponse);
    expect(unknownFields).toEqual([]);
    expect(
      singleObject.decode('CostCalculated', singleObject.encode('CostCalculated', sampleCost)).record,
    ).toEqual(sampleCost);
  });

  test('has defaults for fields that the publisher left out', () => {
    const { record } = singleObject.decode('ChatRequest', singleObject.encode('ChatRequest', sampleRequest));
    expect(record).toMatchObject({
      tenantId: 'default',
      history: 'NONE',
      stream: true,
      tools: [],
      seed: null,
    });
    expect(record.messages[1]?.parts[0]).toMatchObject({ url: null, data: Buffer.from([0, 255, 128]) });
  });

  test('has exactly these bytes in single-object encoding', () => {
    const value = singleObject.encode('CancelRequest', { requestId: 'r', tenantId: 't', reason: null });
    expect(value.toString('hex')).toBe('c301655903717d0f5a4c' + '0272' + '0274' + '00');
  });

  test('has exactly these bytes in Confluent framing', () => {
    const { codec } = withRegistry(schemas.current.CancelRequest);
    const value = codec.encode('CancelRequest', { requestId: 'r', tenantId: 't', reason: 'x' });
    expect(value.toString('hex')).toBe('0000000001' + '0272' + '0274' + '020278');
    expect(codec.decode('CancelRequest', value).record).toEqual({
      requestId: 'r',
      tenantId: 't',
      reason: 'x',
    });
  });

  test('may be larger than the scratch buffer, or exactly its size', () => {
    for (const length of [65_480, 65_505, 65_530, 65_536, 300_000]) {
      const reason = 'é'.repeat(length / 2);
      const value = singleObject.encode('CancelRequest', { requestId: 'r', reason });
      expect(singleObject.decode('CancelRequest', value).record.reason).toBe(reason);
    }
  });

  test('does not share memory with the next one', () => {
    const first = singleObject.encode('CancelRequest', { requestId: 'first' });
    singleObject.encode('CancelRequest', { requestId: 'other' });
    expect(singleObject.decode('CancelRequest', first).record.requestId).toBe('first');
  });

  test('accepts bytes as any Uint8Array, even as a view on a larger one', () => {
    const data = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
    const messages = [{ role: 'user', parts: [{ type: 'file', data }] }];
    const value = singleObject.encode('ChatRequest', { requestId: 'r', messages });
    expect(
      singleObject.decode('ChatRequest', new Uint8Array(value)).record.messages[0]?.parts[0]?.data,
    ).toEqual(Buffer.from([1, 2, 3]));
  });

  test('never contains a lone surrogate, which other languages refuse to read', () => {
    const value = singleObject.encode('CancelRequest', { requestId: 'r', reason: 'x\ud83d' });
    expect(singleObject.decode('CancelRequest', value).record.reason).toBe('x\ufffd');
  });

  test('passes on NaN and infinities, which validation refuses with a better message', () => {
    const request = { ...sampleRequest, temperature: Number.NaN, topP: Number.POSITIVE_INFINITY };
    const { record } = singleObject.decode('ChatRequest', singleObject.encode('ChatRequest', request));
    expect(record).toMatchObject({ temperature: Number.NaN, topP: Number.POSITIVE_INFINITY });
  });

  test('represents longs up to the largest safe integer', () => {
    for (const seed of [
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      -(2 ** 52) - 1,
      2 ** 31,
      -(2 ** 31),
      0,
      -1,
    ]) {
      const value = singleObject.encode('ChatRequest', { ...sampleRequest, seed });
      expect(singleObject.decode('ChatRequest', value).record.seed).toBe(seed);
    }
  });

  test('rounds larger longs of a request, for validation to refuse', () => {
    const whole = singleObject.encode('ChatRequest', { ...sampleRequest, seed: 9_007_199_254_740_990 });
    const seedAt = whole.indexOf(Buffer.from('fcffffffffffff1f', 'hex'));
    const withSeed = (hex: string) =>
      Buffer.concat([whole.subarray(0, seedAt), Buffer.from(hex, 'hex'), whole.subarray(seedAt + 8)]);
    for (const [hex, seed] of [
      ['ffffffffffffff1f', -(2 ** 53)],
      ['8280808080808020', 2 ** 53],
      ['feffffffffffffffff01', 2 ** 63],
      ['ffffffffffffffffff01', -(2 ** 63)],
    ] as const) {
      expect(singleObject.decode('ChatRequest', withSeed(hex)).record.seed).toBe(seed);
    }
  });
});

describe('a record that does not fit its schema', () => {
  const encodeCost = (change: object) => () =>
    singleObject.encode('CostCalculated', { ...sampleCost, ...change } as typeof sampleCost);

  test.each<[object, string]>([
    [{ totalCost: '0.0000000000001' }, 'CostCalculated.totalCost has 13 decimals, at most 12 are possible'],
    [
      { lines: [{ ...sampleCost.lines[0], amount: '1e-7' }] },
      'CostCalculated.lines[0].amount is not decimal text',
    ],
    [
      { totalCost: 0.006 },
      'CostCalculated.totalCost is a value of type number that does not fit null or decimal',
    ],
    [{ totalCost: '1'.repeat(27) }, 'has 39 digits with its decimals'],
    [
      { requestId: undefined },
      'CostCalculated.requestId is a value of type undefined that does not fit text',
    ],
    [{ requestStatus: 'DONE' }, 'does not fit completionbus.v1.ResponseStatus'],
    [{ usageAt: null }, 'CostCalculated.usageAt is null that does not fit long'],
    [{ labels: ['secret'] }, 'CostCalculated.labels is an array that does not fit map'],
  ])('is refused with the field: %o', (change, message) => {
    expect(encodeCost(change)).toThrow(TypeError);
    expect(encodeCost(change)).toThrow(message);
    expect(encodeCost(change)).not.toThrow('secret');
  });

  test('is refused in place of bytes', () => {
    const messages = [{ role: 'user', parts: [{ type: 'file', data: 'AAEC' as unknown as Uint8Array }] }];
    expect(() => singleObject.encode('ChatRequest', { requestId: 'r', messages })).toThrow(
      'ChatRequest.messages[0].parts[0].data is a value of type string that does not fit null or octets',
    );
  });

  test('is refused when its record type is unknown', () => {
    expect(() => singleObject.encode('Nonsense' as RecordName, {} as never)).toThrow('no record Nonsense');
  });
});

describe('a value is refused when', () => {
  const cancel = { requestId: 'r', tenantId: 't', reason: 'secret' };
  const value = singleObject.encode('CancelRequest', cancel);
  const decode = (bytes: Uint8Array) => () => singleObject.decode('CancelRequest', bytes);

  test('it ends early, at any position', () => {
    const whole = singleObject.encode('ChatResponse', sampleResponse);
    for (let length = 10; length < whole.length; length += 1) {
      const error = refusal(() => singleObject.decode('ChatResponse', whole.subarray(0, length)));
      expect(error.code).toBe('truncated');
    }
  });

  test('it continues after its end', () => {
    const error = refusal(decode(Buffer.concat([value, Buffer.from('xyz')])));
    expect(error).toMatchObject({
      code: 'trailing_bytes',
      message: expect.stringContaining('3 bytes follow'),
    });
  });

  test('it is too large, before any other check', () => {
    const codec = createAvroCodec({ schemas, framing: { kind: 'single-object' }, maxBytes: 10 });
    const error = refusal(() => codec.decode('CancelRequest', Buffer.alloc(11)));
    expect(error).toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('11 bytes, at most 10'),
    });
    expect(refusal(() => codec.decode('CancelRequest', null)).code).toBe('tombstone');
  });

  test('no released schema has its fingerprint', () => {
    const unknown = Buffer.from(value);
    unknown.fill(0xab, 2, 10);
    const error = refusal(decode(unknown));
    expect(error.code).toBe('unknown_fingerprint');
    expect(error.message).toContain('abababababababab');
  });

  test('it has another record type', () => {
    const error = refusal(() => singleObject.decode('ChatRequest', value));
    expect(error.code).toBe('wrong_type');
    expect(error.message).toContain(
      'is a completionbus.v1.CancelRequest, this topic carries completionbus.v1.ChatRequest',
    );
  });

  test('it has Confluent framing and there is no registry', () => {
    const error = refusal(decode(Buffer.from('0000000007027200', 'hex')));
    expect(error.code).toBe('registry_not_configured');
    expect(error.message).toContain('SCHEMA_REGISTRY_URL');
  });

  test('the registry does not know its id, or has no Avro schema there', () => {
    const { codec } = withRegistry('{"type":"object"}');
    const withId = (id: string) => () => codec.decode('CancelRequest', Buffer.from(`00${id}027200`, 'hex'));
    expect(refusal(withId('00000009'))).toMatchObject({
      code: 'unknown_schema_id',
      message: expect.stringContaining('id 9'),
    });
    expect(refusal(withId('00000001')).code).toBe('wrong_type');
  });

  test.each([
    ['a text with a negative length', '0172', 'CancelRequest.requestId has a negative length'],
    ['an integer of more than ten bytes', 'ff'.repeat(11), 'CancelRequest.requestId is not an integer'],
    ['a length beyond what is exact', 'ffffffffffffffffff01', 'CancelRequest.requestId is outside'],
    ['a text that is not UTF-8', '02ff027400', 'CancelRequest.requestId is not UTF-8'],
    ['a third branch of two', '0272027404', 'CancelRequest.reason has choice 2 of 2'],
    ['a negative branch', '0272027401', 'CancelRequest.reason has choice -1 of 2'],
  ])('it has %s', (_case, body, message) => {
    const error = refusal(decode(framed(body)));
    expect(error.code).toBe('wrong_value');
    expect(error.message).toContain(message);
  });

  test('it claims a billion items, without allocating them', () => {
    const request = singleObject.encode('ChatRequest', { requestId: 'r', fallbackModels: [] });
    // requestId, tenantId, four nulls, then the count of fallbackModels.
    const countAt = 10 + 2 + 8 + 4;
    const claim = Buffer.from('80a8d6b907', 'hex');
    const forged = Buffer.concat([request.subarray(0, countAt), claim, request.subarray(countAt + 1)]);
    const error = refusal(() => singleObject.decode('ChatRequest', forged));
    expect(error.code).toBe('truncated');
    expect(error.message).toContain('ChatRequest.fallbackModels claims 1000000000 items');
  });

  test('any byte is changed, unless the result is another valid record', () => {
    const whole = singleObject.encode('ChatResponse', sampleResponse);
    fc.assert(
      fc.property(fc.nat(whole.length - 11), fc.nat(255), (offset, byte) => {
        const changed = Buffer.from(whole);
        changed[10 + offset] = byte;
        try {
          singleObject.decode('ChatResponse', changed);
        } catch (error) {
          expect(error).toBeInstanceOf(UndecodableRecord);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('it has any content, which the message never contains', () => {
    for (const bytes of [value.subarray(0, -2), Buffer.concat([value, value])]) {
      expect(refusal(decode(bytes)).message).not.toContain('secret');
    }
  });

  test('a request has too many items, which a response may have', () => {
    const stop = (count: number) => ({ requestId: 'r', stop: Array.from({ length: count }, () => '') });
    const whole = singleObject.encode('ChatRequest', stop(65_537));
    expect(refusal(() => singleObject.decode('ChatRequest', whole))).toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('ChatRequest.stop makes more than 65536 items'),
    });
    const most = singleObject.encode('ChatRequest', stop(65_536));
    expect(singleObject.decode('ChatRequest', most).record.stop).toHaveLength(65_536);
    const warning = { path: '', code: '', message: '' };
    const warnings = Array.from({ length: 70_000 }, () => warning);
    const response = singleObject.encode('ChatResponse', { ...sampleResponse, warnings });
    expect(singleObject.decode('ChatResponse', response).record.warnings).toHaveLength(70_000);
  });

  test('a number cannot be represented exactly', () => {
    const whole = singleObject.encode('CostCalculated', { ...sampleCost, usageAt: 9_007_199_254_740_990 });
    whole.write('ffffffffffffff1f', whole.indexOf(Buffer.from('fcffffffffffff1f', 'hex')), 'hex');
    const error = refusal(() => singleObject.decode('CostCalculated', whole));
    expect(error).toMatchObject({
      code: 'wrong_value',
      message: expect.stringContaining('CostCalculated.usageAt'),
    });
  });

  test('a decimal has more digits than its precision', () => {
    const whole = singleObject.encode('ChatResponse', { ...sampleResponse, cost: `${'9'.repeat(26)}` });
    const digits = (10n ** 38n - 10n ** 12n).toString(16);
    const forged = Buffer.from(whole.toString('hex').replace(digits, '7f'.repeat(16)), 'hex');
    const error = refusal(() => singleObject.decode('ChatResponse', forged));
    expect(error.code).toBe('wrong_value');
    expect(error.message).toContain('ChatResponse.cost has 39 digits');
  });

  test('a boolean is neither true nor false, or a map key is not UTF-8', () => {
    const whole = singleObject.encode('ChatRequest', { requestId: 'r', labels: { abcdefghi: 'v' } });
    const withKey = (key: Buffer) => {
      const forged = Buffer.from(whole);
      key.copy(forged, forged.indexOf('abcdefghi'));
      return refusal(() => singleObject.decode('ChatRequest', forged));
    };
    expect(withKey(Buffer.from([0xff])).message).toContain('ChatRequest.labels has a key that is not UTF-8');
    const response = singleObject.encode('ChatChunk', {
      requestId: 'r',
      tenantId: 't',
      attempt: 1,
      sequence: 0,
      choiceIndex: 0,
      content: '',
      role: null,
      refusal: null,
      toolCalls: [],
      audio: null,
      annotationsJson: null,
      logprobsJson: null,
      finishReason: null,
      extraJson: null,
      last: true,
      emittedAt: 0,
    });
    // `emittedAt` and `extraJson` follow, with one byte each.
    response[response.length - 3] = 2;
    const error = refusal(() => singleObject.decode('ChatChunk', response));
    expect(error.message).toContain('ChatChunk.last is neither true nor false');
  });
});
