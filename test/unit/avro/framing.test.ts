import { describe, expect, test } from 'vitest';
import { decodeKey } from '../../../src/contract/codec.ts';
import {
  parseFrame,
  type RecordHeaders,
  writeConfluentHeader,
  writeSingleObjectHeader,
} from '../../../src/contract/framing.ts';
import { UndecodableRecord } from '../../../src/contract/undecodable-record.ts';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

function refusal(action: () => unknown): UndecodableRecord {
  try {
    action();
  } catch (error) {
    if (error instanceof UndecodableRecord) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a frame', () => {
  test('of single-object encoding has the fingerprint in little-endian', () => {
    const frame = parseFrame(bytes('c30101020304050607080a0b'));
    expect(frame).toEqual({
      kind: 'single-object',
      fingerprint: 0x0807060504030201n,
      body: bytes('0a0b'),
    });
  });

  test('of Confluent framing has the schema id in big-endian, up to 32 bits', () => {
    expect(parseFrame(bytes('0080000001aa'))).toEqual({
      kind: 'confluent',
      schemaId: 0x80000001,
      body: bytes('aa'),
    });
  });

  test('is read as it was written, even in a part of a larger buffer', () => {
    const buffer = Buffer.alloc(32);
    writeSingleObjectHeader(buffer.subarray(3), 0xfedcba9876543210n);
    expect(buffer.subarray(3, 13).toString('hex')).toBe('c3011032547698badcfe');
    writeConfluentHeader(buffer.subarray(20), 258);
    expect(buffer.subarray(20, 25).toString('hex')).toBe('0000000102');
  });

  test('of single-object encoding takes precedence over a header copied from another record', () => {
    const frame = parseFrame(bytes('c3010102030405060708'), { __value_schema_id: Buffer.alloc(17) });
    expect(frame.kind).toBe('single-object');
  });
});

describe('a value is refused with a reason and a remedy when', () => {
  test.each<[string, Uint8Array | null, RecordHeaders, string, string]>([
    ['it is a tombstone', null, {}, 'tombstone', 'never compacted'],
    ['it is empty', bytes(''), {}, 'empty_record', 'no bytes'],
    ['it is JSON', Buffer.from('{"requestId":"r"}'), {}, 'wrong_framing', 'the first is 0x7B'],
    ['it is an Avro file', Buffer.from('Obj\x01'), {}, 'wrong_framing', 'Avro files'],
    ['it is a stub', bytes('c3'), {}, 'wrong_framing', '1 bytes, the first is 0xC3'],
    ['Glue wrote it', bytes(`0300${'ab'.repeat(16)}01`), {}, 'glue_framing', 'AWS Glue'],
    ['Glue compressed it', bytes(`0305${'ab'.repeat(16)}01`), {}, 'glue_framing', 'AWS Glue'],
    ['it begins like Glue but is too short', bytes('030000'), {}, 'wrong_framing', '0x03'],
    ['it has another version of Glue', bytes(`0301${'ab'.repeat(16)}`), {}, 'wrong_framing', '0x03'],
    [
      'its schema id is in a header',
      bytes('00026100'),
      { __value_schema_id: bytes('01') },
      'header_schema_id',
      '__value_schema_id',
    ],
    ['its single-object header is cut', bytes('c301aabbcc'), {}, 'truncated', 'found 5 in all'],
    ['its Confluent header is cut', bytes('000000'), {}, 'truncated', 'found 3 in all'],
  ])('%s', (_case, value, headers, code, message) => {
    const error = refusal(() => parseFrame(value, headers));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ name: 'UndecodableRecord', retryable: false });
  });
});

describe('a key', () => {
  test('is UTF-8 text or missing', () => {
    expect(decodeKey(Buffer.from('conversation-ü'))).toBe('conversation-ü');
    expect(decodeKey(new Uint8Array())).toBe('');
    expect(decodeKey(null)).toBeNull();
  });

  test('keeps a byte order mark, because it affects the partition', () => {
    expect(decodeKey(bytes('efbbbf61'))).toBe('\uFEFFa');
  });

  test('that is not UTF-8 is refused', () => {
    expect(refusal(() => decodeKey(bytes('ff61'))).code).toBe('invalid_key');
  });

  test('that was serialized with a schema is refused', () => {
    const error = refusal(() => decodeKey(bytes('0261'), { __key_schema_id: bytes('01') }));
    expect(error.code).toBe('header_schema_id');
    expect(error.message).toContain('__key_schema_id');
  });
});
