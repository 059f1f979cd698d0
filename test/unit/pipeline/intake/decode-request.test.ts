import { describe, expect, it } from 'vitest';
import { createAvroCodec } from '../../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../../src/adapters/avro/load-schemas.ts';
import { readBody } from '../../../../src/adapters/openai/json-body/read-body.ts';
import type { RecordCodec } from '../../../../src/contract/codec.ts';
import type { ChatRequestInput } from '../../../../src/contract/record-types.ts';
import { UndecodableRecord } from '../../../../src/contract/undecodable-record.ts';
import { asUndecodable, decodeRequest } from '../../../../src/pipeline/intake/decode-request.ts';
import type { InboundRecord } from '../../../../src/ports/kafka.ts';

const codec = createAvroCodec({
  schemas: loadSchemas(),
  framing: { kind: 'single-object' },
  maxBytes: 1_000_000,
});

const tenantOfTopic = new Map<string, string | null>([
  ['chat.requests', null],
  ['chat.requests.acme', 'acme'],
]);

function record(request: Partial<ChatRequestInput>, members: Partial<InboundRecord> = {}): InboundRecord {
  return {
    topic: 'chat.requests',
    partition: 0,
    offset: 7,
    timestamp: 1,
    key: null,
    headers: {},
    value: codec.encode('ChatRequest', {
      requestId: 'request-1',
      messages: [{ role: 'user', content: 'Hi' }],
      ...request,
    }),
    ...members,
  };
}

const decode = (inbound: InboundRecord, by: RecordCodec = codec) =>
  decodeRequest(inbound, { codec: by, tenantOfTopic, readBody, jsonMaxBytes: 1_000 });

it('refuses an unreadable record for the reader’s reason', () => {
  const unreadable = { code: 'unreadable_batch', message: 'its checksum is wrong' } as const;
  const inbound = record({}, { value: null, unreadable });
  expect(() => decode(inbound)).toThrow(new UndecodableRecord('unreadable_batch', 'its checksum is wrong'));
});

describe('decodeRequest', () => {
  it('reads a request together with its record', () => {
    const inbound = record({});
    const accepted = decode(inbound);
    expect(accepted.record).toBe(inbound);
    expect(accepted.request).toMatchObject({ requestId: 'request-1', tenantId: 'default' });
    expect(accepted.problems).toEqual([]);
  });

  it.each([
    ['its key', { conversationId: 'c' }, Buffer.from('k'), 'k'],
    ['else its conversation', { conversationId: 'c' }, null, 'c'],
    ['else its id', {}, null, 'request-1'],
  ])('orders a request by %s', (_what, request, key, orderKey) => {
    expect(decode(record(request, { key })).orderKey).toBe(orderKey);
  });

  it('orders a request by a short key for names of any length', () => {
    const keys = ['a', 'b'].map(
      (last) => decode(record({ conversationId: `${'c'.repeat(500_000)}${last}` })).orderKey,
    );
    expect(keys[0]).toHaveLength(64);
    expect(keys[1]).not.toBe(keys[0]);
  });

  it('takes the tenant that the topic is bound to', () => {
    const accepted = decode(record({}, { topic: 'chat.requests.acme' }));
    expect(accepted.request.tenantId).toBe('acme');
    expect(accepted.problems).toEqual([]);
    expect(decode(record({ tenantId: 'acme' }, { topic: 'chat.requests.acme' })).problems).toEqual([]);
  });

  it('lets no publisher write in the name of another tenant', () => {
    const accepted = decode(record({ tenantId: 'other' }, { topic: 'chat.requests.acme' }));
    expect(accepted.request.tenantId).toBe('acme');
    expect(accepted.problems).toEqual([
      {
        path: 'tenantId',
        code: 'wrong_tenant',
        message: expect.stringMatching(/chat\.requests\.acme.*acme/),
      },
    ]);
  });

  it('accepts any tenant on a topic that is not bound', () => {
    expect(decode(record({ tenantId: 'other' })).request.tenantId).toBe('other');
    expect(decode(record({ tenantId: 'other' }, { topic: 'elsewhere' })).request.tenantId).toBe('other');
  });

  it.each<[string, Partial<ChatRequestInput>, Partial<InboundRecord>]>([
    ['by its field', { tenantId: 'acme' }, {}],
    ['by its header', {}, { value: Buffer.from('{"messages":[]}'), headers: { 'tenant-id': 'acme' } }],
    ['by header bytes', {}, { value: Buffer.from('{}'), headers: { 'tenant-id': Buffer.from('acme') } }],
    ['on a topic that is not known', { tenantId: 'acme' }, { topic: 'elsewhere' }],
  ])(
    'refuses who names a tenant with a topic of its own elsewhere, %s, and not in its name',
    (_how, request, members) => {
      const accepted = decode(record(request, members));
      expect(accepted.request.tenantId).toBe('default');
      expect(accepted.problems).toMatchObject([{ path: 'tenantId', code: 'wrong_tenant' }]);
      expect(accepted.problems[0]?.message).not.toContain('acme');
    },
  );

  it('treats names as equal when the stores do', () => {
    const bound = new Map([
      ['chat.requests', null],
      ['chat.requests.odd', 'odd\ufffd'],
    ]);
    const inbound = record(
      {},
      { value: Buffer.from('{"messages":[]}'), headers: { 'tenant-id': 'odd\ud800' } },
    );
    const accepted = decodeRequest(inbound, { codec, tenantOfTopic: bound, readBody, jsonMaxBytes: 1_000 });
    expect(accepted.request.tenantId).toBe('default');
    expect(accepted.problems).toMatchObject([{ code: 'wrong_tenant' }]);
  });

  it('reads a JSON object as a provider’s own request, in the tenant of its topic and the order of its key', () => {
    const value = Buffer.from(' {"model":"gpt-4","messages":[{"role":"user","content":"Hi"}],"brand_new":1}');
    const headers = { 'request-id': 'r-1', 'conversation-id': 'c' };
    const accepted = decode(record({}, { value, headers, topic: 'chat.requests.acme' }));
    expect(accepted).toMatchObject({ orderKey: 'c', problems: [] });
    expect(accepted.request).toMatchObject({
      requestId: 'r-1',
      tenantId: 'acme',
      extraJson: '{"brand_new":1}',
    });
    const stranger = decode(
      record({}, { value, headers: { 'tenant-id': 'other' }, topic: 'chat.requests.acme' }),
    );
    expect(stranger.problems).toMatchObject([{ path: 'tenantId', code: 'wrong_tenant' }]);
  });

  it('reports every field that a newer writer set', () => {
    const newer: RecordCodec = {
      encode: codec.encode,
      decode: (name, value, headers) => ({
        ...codec.decode(name, value, headers),
        unknownFields: ['mood', 'messages[0].tone'],
      }),
    };
    expect(decode(record({}), newer).problems).toEqual([
      { path: 'mood', code: 'unknown_field', message: expect.stringMatching(/newer writer.*upgrade/) },
      { path: 'messages[0].tone', code: 'unknown_field', message: expect.any(String) },
    ]);
  });

  it.each([
    ['a tombstone', { value: null }, 'tombstone'],
    ['what is no request', { value: Buffer.from('hello') }, 'wrong_framing'],
    ['text that is not JSON', { value: Buffer.from('{hello') }, 'invalid_json'],
    ['a key that is no text', { key: Buffer.from([0xff, 0xfe]) }, 'invalid_key'],
    ['a key with a schema', { key: Buffer.from('k'), headers: { __key_schema_id: 'x' } }, 'header_schema_id'],
  ])('does not read %s', (_what, members, code) => {
    expect(() => decode(record({}, members))).toThrow(expect.objectContaining({ code }));
  });
});

describe('asUndecodable', () => {
  it('keeps the reason of an unreadable record', () => {
    const reason = new UndecodableRecord('truncated', 'too short');
    expect(asUndecodable(reason)).toBe(reason);
  });

  it('dead-letters a record whose reading throws any other error', () => {
    const cause = new RangeError('offset is out of bounds');
    expect(asUndecodable(cause)).toMatchObject({ code: 'wrong_value', cause });
  });
});
