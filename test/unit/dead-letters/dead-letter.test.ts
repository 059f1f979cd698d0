import { describe, expect, it } from 'vitest';
import { topicNames } from '../../../src/contract/topics.ts';
import { letterFacts, placeOf, readDeadLetter } from '../../../src/dead-letters/dead-letter.ts';
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

describe('the facts of a letter', () => {
  const letter = readDeadLetter(asRead(written));

  it('are everything but the value', () => {
    expect(letterFacts(letter)).toEqual({
      id: '3/17',
      time: '2026-01-02T00:00:00.000Z',
      code: 'wrong_framing',
      message: 'No frame.',
      source: { topic: 'chat.requests', partition: 3, offset: 41 },
      key: 'c-1',
      isWithoutValue: false,
    });
  });

  it('have a key that is no text by its bytes', () => {
    const ofKey = (key: Buffer | null) => letterFacts({ ...letter, key }).key;
    expect(ofKey(Buffer.from('a\n\u001b[2Jb'))).toBe('a\n\u001b[2Jb');
    expect(ofKey(Buffer.from([0xff, 0x01]))).toBe('0xff01');
    expect(ofKey(null)).toBeNull();
  });

  it('name the place that a letter came from', () => {
    expect(placeOf({ topic: 'chat.requests', partition: 3, offset: 41 })).toBe('chat.requests/3/41');
  });
});
