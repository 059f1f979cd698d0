import { describe, expect, it } from 'vitest';
import { topicNames } from '../../../src/contract/topics.ts';
import { describeLetter, letterAsJson, readDeadLetter } from '../../../src/dead-letters/dead-letter.ts';
import { OutputRecords } from '../../../src/pipeline/outcome/output-records.ts';
import type { InboundRecord, OutboundRecord } from '../../../src/ports/kafka.ts';

const outputs = new OutputRecords(topicNames('chat'), 'group');
const record: InboundRecord = {
  topic: 'chat.requests',
  partition: 3,
  offset: 41,
  timestamp: 1,
  key: Buffer.from('c-1'),
  value: Buffer.from('a secret'),
  headers: { traceparent: '00-1' },
};
const written = outputs.dead(record, { code: 'wrong_framing', message: 'No frame.' });

/** A letter as it is read: header values are bytes. */
function asRead({ key, value, headers }: OutboundRecord): InboundRecord {
  const bytes = Object.entries(headers).map(([name, text]) => [name, Buffer.from(String(text))]);
  return {
    ...record,
    topic: 'chat.requests.dead',
    offset: 17,
    timestamp: Date.UTC(2026, 0, 2),
    key: key as Uint8Array | null,
    value,
    headers: Object.fromEntries(bytes),
  };
}

describe('readDeadLetter', () => {
  it('returns the original record, its origin and its reason', () => {
    expect(readDeadLetter(asRead(written))).toEqual({
      id: '3/17',
      at: Date.UTC(2026, 0, 2),
      code: 'wrong_framing',
      message: 'No frame.',
      source: { topic: 'chat.requests', partition: 3, offset: 41 },
      isWithoutValue: false,
      key: record.key,
      value: record.value,
      headers: { traceparent: Buffer.from('00-1') },
    });
  });

  it('distinguishes a value that was left out from one that was never there', () => {
    expect(readDeadLetter(asRead(outputs.deadWithoutValue(written)))).toMatchObject({
      value: null,
      isWithoutValue: true,
    });
    expect(readDeadLetter(asRead({ ...written, value: null }))).toMatchObject({ isWithoutValue: false });
  });

  it('reads a letter of another writer', () => {
    expect(readDeadLetter({ ...record, headers: {} })).toMatchObject({
      code: null,
      message: '',
      source: null,
    });
    const places = [
      { 'dead-topic': 'chat.requests', 'dead-partition': '1' },
      { 'dead-topic': 'chat.requests', 'dead-partition': 'one', 'dead-offset': '2' },
      { 'dead-partition': '1', 'dead-offset': '2' },
    ];
    for (const headers of places) expect(readDeadLetter({ ...record, headers }).source).toBeNull();
  });

  it('uses the last of repeated headers', () => {
    const headers = { 'dead-code': ['invalid_json', Buffer.from('poison')] };
    expect(readDeadLetter({ ...record, headers }).code).toBe('poison');
  });
});

describe('a letter in one line', () => {
  const letter = readDeadLetter(asRead(written));

  it('has everything but the value', () => {
    expect(describeLetter(letter)).toBe(
      '3/17\t2026-01-02T00:00:00.000Z\twrong_framing\tchat.requests/3/41\tc-1\tNo frame.\n',
    );
    expect(JSON.parse(letterAsJson(letter))).toEqual({
      id: '3/17',
      time: '2026-01-02T00:00:00.000Z',
      code: 'wrong_framing',
      message: 'No frame.',
      source: { topic: 'chat.requests', partition: 3, offset: 41 },
      key: 'c-1',
      isWithoutValue: false,
    });
  });

  it('stays one line for any key', () => {
    const ofKey = (key: Buffer | null) => describeLetter({ ...letter, key }).split('\t')[4];
    expect(ofKey(Buffer.from('a\n\u001b[2Jb'))).toBe('a [2Jb');
    expect(ofKey(Buffer.from([0xff, 0x01]))).toBe('0xff01');
    expect(ofKey(null)).toBe('');
    expect(JSON.parse(letterAsJson({ ...letter, key: null }))).toMatchObject({ key: null });
  });

  it('leaves unknown fields empty', () => {
    const line = describeLetter({ ...letter, code: null, source: null, message: '' });
    expect(line).toBe('3/17\t2026-01-02T00:00:00.000Z\t\t\tc-1\t\n');
  });
});
