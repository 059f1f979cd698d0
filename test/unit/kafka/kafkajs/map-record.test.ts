import type { KafkaMessage } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { mapInbound, mapOutbound } from '../../../../src/adapters/kafka/kafkajs/map-record.ts';

const place = { topic: 'chat.requests', partition: 3 };
const message = {
  key: Buffer.from('k'),
  value: Buffer.from([0, 255]),
  timestamp: '1767322800000',
  attributes: 0,
  offset: '9007199254740991',
  headers: { twice: ['a', Buffer.from('b')] },
};

describe('mapInbound', () => {
  it('keeps bytes and headers unchanged, and turns offset and timestamp into numbers', () => {
    expect(mapInbound(place, message)).toEqual({
      ...place,
      offset: Number.MAX_SAFE_INTEGER,
      timestamp: 1_767_322_800_000,
      key: message.key,
      value: message.value,
      headers: message.headers,
    });
  });

  it('accepts a record without key, value and headers', () => {
    const { headers: _none, ...rest } = message;
    // Records of the oldest format look like this.
    const bare: KafkaMessage = { ...rest, size: 0, key: null, value: null };
    expect(mapInbound(place, bare)).toMatchObject({
      key: null,
      value: null,
      headers: {},
    });
  });
});

describe('the time of a record', () => {
  it.each(['9223372036854775807', '-9223372036854775808'])('%s becomes a valid date', (timestamp) => {
    const { timestamp: mapped } = mapInbound(place, { ...message, timestamp });
    expect(() => new Date(mapped).toISOString()).not.toThrow();
  });
});

describe('mapOutbound', () => {
  const record = { topic: 'chat.responses', key: 'k', value: Buffer.from('v'), headers: {} };

  it('groups by topic and keeps the order within each', () => {
    const records = [
      record,
      { ...record, topic: 'chat.costs' },
      { ...record, key: 'second' },
      { ...record, topic: 'chat.costs', key: 'second' },
    ];
    expect(
      mapOutbound(records).map(({ topic, messages }) => [topic, messages.map(({ key }) => key)]),
    ).toEqual([
      ['chat.responses', ['k', 'second']],
      ['chat.costs', ['k', 'second']],
    ]);
    expect(mapOutbound([])).toEqual([]);
  });

  it('sends to the chosen partition, even 0, and otherwise lets the key decide', () => {
    const [group] = mapOutbound([{ ...record, partition: 0 }, record]);
    expect(group?.messages[0]).toHaveProperty('partition', 0);
    expect(group?.messages[1]).not.toHaveProperty('partition');
  });

  it('passes plain bytes as a view, without a copy', () => {
    const bytes = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    const [group] = mapOutbound([{ ...record, key: bytes, value: bytes }]);
    const value = group?.messages[0]?.value;
    expect(value).toEqual(Buffer.from([1, 2]));
    expect(Buffer.isBuffer(value) && value.buffer === bytes.buffer).toBe(true);
    expect(group?.messages[0]?.key).toEqual(Buffer.from([1, 2]));
  });

  it('keeps a missing key and value missing', () => {
    const [group] = mapOutbound([{ ...record, key: null, value: null }]);
    expect(group?.messages[0]).toMatchObject({ key: null, value: null });
  });

  it('keeps headers of every kind: text, bytes, repeated ones and empty ones', () => {
    const headers = {
      text: 'plain',
      bytes: new Uint8Array([1]),
      twice: ['a', new Uint8Array([2])],
      empty: '',
      nothing: null,
      leftOut: undefined,
    };
    const [group] = mapOutbound([{ ...record, headers }]);
    expect(group?.messages[0]?.headers).toStrictEqual(
      Object.assign(Object.create(null), {
        text: 'plain',
        bytes: Buffer.from([1]),
        twice: ['a', Buffer.from([2])],
        empty: '',
        nothing: null,
      }),
    );
  });

  it('keeps headers that are named like inherited properties', () => {
    const headers = Object.create(null);
    Object.defineProperty(headers, '__proto__', { value: ['a', 'b'], enumerable: true });
    headers['toString'] = 'c';
    const [group] = mapOutbound([{ ...record, headers }]);
    expect(Object.entries(group?.messages[0]?.headers ?? {})).toEqual(Object.entries(headers));
  });
});
