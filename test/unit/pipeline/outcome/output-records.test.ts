import { ROOT_CONTEXT } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { topicNames } from '../../../../src/contract/topics.ts';
import { recordBytes } from '../../../../src/pipeline/intake/record-bytes.ts';
import type { EventValue } from '../../../../src/pipeline/outcome/encode-outcome.ts';
import { OutputRecords } from '../../../../src/pipeline/outcome/output-records.ts';
import type { InboundRecord } from '../../../../src/ports/kafka.ts';

const outputs = new OutputRecords(topicNames('chat'), 'my group');

const record: InboundRecord = {
  topic: 'chat.requests',
  partition: 3,
  offset: 41,
  timestamp: 1,
  key: Buffer.from('key'),
  value: Buffer.from('value'),
  headers: { traceparent: '00-1', 'dead-code': 'from an earlier death' },
};

const origin = { record, orderKey: 'conversation-1', trace: ROOT_CONTEXT };

function event(name: EventValue['name']): EventValue {
  return { name, eventId: 'event-1', at: Date.UTC(2026, 0, 2), value: Buffer.from([1]) };
}

describe('OutputRecords', () => {
  it.each([
    ['ChatResponse', 'chat.responses'],
    ['ResponseGenerated', 'chat.response-generated'],
    ['CostCalculated', 'chat.costs'],
    ['MessageSent', 'chat.message-sent'],
  ] as const)('writes %s to %s', (name, topic) => {
    expect(outputs.announced(event(name), origin)).toEqual({
      topic,
      key: record.key,
      value: Buffer.from([1]),
      headers: {
        ce_specversion: '1.0',
        ce_id: 'event-1',
        ce_source: '/completion-bus/my%20group',
        ce_type: `completionbus.v1.${name}`,
        ce_time: '2026-01-02T00:00:00.000Z',
        'content-type': 'application/avro',
      },
    });
  });

  it('settles into the partition with the input’s number', () => {
    expect(outputs.settled(event('ChatResponse'), origin).partition).toBe(3);
    expect(outputs.announced(event('MessageSent'), origin).partition).toBeUndefined();
  });

  it('uses the order key for a record without a key', () => {
    const keyless = { ...origin, record: { ...record, key: null } };
    expect(outputs.settled(event('ChatResponse'), keyless).key).toBe('conversation-1');
  });

  it('refuses to settle a record of another type', () => {
    expect(() => outputs.settled(event('ModelChanged'), origin)).toThrow(/ModelChanged is not published/);
  });

  it('keeps the bytes, key and headers of a dead letter, and adds its reason and origin', () => {
    expect(outputs.dead(record, { code: 'truncated', message: 'too short' })).toEqual({
      topic: 'chat.requests.dead',
      partition: 3,
      key: record.key,
      value: record.value,
      headers: {
        traceparent: '00-1',
        'dead-code': 'truncated',
        'dead-message': 'too short',
        'dead-topic': 'chat.requests',
        'dead-partition': '3',
        'dead-offset': '41',
      },
    });
  });

  it('leaves out the value of a dead letter that is too large, and marks it', () => {
    const letter = outputs.dead(record, { code: 'too_large', message: 'too large' });
    const short = outputs.deadWithoutValue(letter);
    expect(short).toMatchObject({ key: record.key, value: null, partition: 3 });
    expect(short.headers).toEqual({ ...letter.headers, 'dead-value-omitted': 'too large' });
  });

  it('keeps dead letter headers named like inherited properties', () => {
    const headers = Object.create(null);
    Object.defineProperty(headers, '__proto__', { value: ['a', 'b'], enumerable: true });
    headers['toString'] = 'c';
    const dead = outputs.dead({ ...record, headers }, { code: 'truncated', message: 'too short' });
    for (const letter of [dead, outputs.deadWithoutValue(dead)]) {
      expect(Object.getPrototypeOf(letter.headers)).toBeNull();
      expect(Object.entries(letter.headers)).toEqual(expect.arrayContaining(Object.entries(headers)));
    }
  });

  it('marks the value of an unreadable record as missing, and ignores that mark from a publisher', () => {
    const unreadable = { code: 'too_large', message: 'inflates too far' } as const;
    const reason = { code: 'too_large', message: 'inflates too far' };
    const read = { ...record, headers: { 'dead-value-omitted': 'too large' } };
    expect(outputs.dead({ ...record, unreadable }, reason).headers['dead-value-omitted']).toBe('unreadable');
    expect(outputs.dead(read, reason).headers).not.toHaveProperty('dead-value-omitted');
  });

  it('has a form of the dead letter that no topic refuses, for any record', () => {
    const huge = 'x'.repeat(1_000_000);
    const headers = { [huge]: huge, 'dead-code': [huge, huge] };
    const letter = outputs.dead(
      { ...record, key: Buffer.from(huge), headers },
      { code: 'truncated', message: huge },
    );
    const smallest = outputs.deadMinimal(letter);
    expect(recordBytes(smallest)).toBeLessThan(2_000);
    expect(smallest).toMatchObject({ topic: 'chat.requests.dead', partition: 3, key: null, value: null });
    expect(smallest.headers).toEqual({
      'dead-code': 'truncated',
      'dead-message': 'x'.repeat(256),
      'dead-topic': 'chat.requests',
      'dead-partition': '3',
      'dead-offset': '41',
      'dead-value-omitted': 'too large',
    });
  });
});
