import { describe, expect, it } from 'vitest';
import { createSingleObjectCodec } from '../../../src/adapters/avro/single-object-codec.ts';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import type { DeadLetter } from '../../../src/dead-letters/dead-letter.ts';
import { NotReplayable, replayLetter } from '../../../src/dead-letters/replay-letter.ts';
import type { DecodeOptions } from '../../../src/pipeline/intake/decode-request.ts';

const codec = createSingleObjectCodec(1_000_000);
const decode: DecodeOptions = {
  codec,
  readBody,
  jsonMaxBytes: 1_000_000,
  tenantOfTopic: new Map([
    ['chat.requests', null],
    ['chat.requests.acme', 'acme'],
  ]),
};

const request = { requestId: 'r-1', messages: [{ role: 'user', content: 'Hello' }] };
const letter: DeadLetter = {
  id: '3/17',
  at: 5,
  code: 'unknown_fingerprint',
  message: '',
  source: { topic: 'chat.requests', partition: 3, offset: 41 },
  isWithoutValue: false,
  key: Buffer.from('c-1'),
  value: codec.encode('ChatRequest', request),
  headers: { traceparent: Buffer.from('00-1') },
};

const replay = (changes: Partial<DeadLetter> = {}) =>
  replayLetter({ ...letter, ...changes }, 'chat.requests.dead', decode);
const reason = (changes: Partial<DeadLetter>) => {
  try {
    replay(changes);
  } catch (error) {
    if (error instanceof NotReplayable) return error.message;
  }
  return null;
};

describe('replayLetter', () => {
  it('publishes a letter that can now be read unchanged to its origin, under its key', () => {
    expect(replay()).toEqual({
      identity: { tenantId: 'default', requestId: 'r-1' },
      record: {
        topic: 'chat.requests',
        key: letter.key,
        value: letter.value,
        headers: { traceparent: letter.headers['traceparent'], 'replay-of': 'chat.requests.dead/3/17' },
      },
    });
  });

  it('uses the tenant of the topic', () => {
    const source = { topic: 'chat.requests.acme', partition: 3, offset: 41 };
    expect(replay({ source }).identity).toEqual({ tenantId: 'acme', requestId: 'r-1' });
  });

  it('gives poison a new id derived from its own, and changes nothing else', () => {
    const { identity, record } = replay({ code: 'poison' });
    expect(identity.requestId).toBe('r-1-replay-3-17');
    const { record: original } = codec.decode('ChatRequest', letter.value);
    expect(codec.decode('ChatRequest', record.value).record).toEqual({
      ...original,
      requestId: 'r-1-replay-3-17',
    });
    expect(record.headers).not.toHaveProperty('request-id');
  });

  it('keeps ids within their limit', () => {
    const value = codec.encode('ChatRequest', { ...request, requestId: 'x'.repeat(128) });
    const { requestId } = replay({ code: 'poison', value }).identity;
    expect(requestId).toHaveLength(128);
    expect(requestId).toMatch(/^x+-replay-3-17$/);
  });

  it('gives a JSON request its id in a header, the same each time', () => {
    const value = Buffer.from('{"messages":[{"role":"user","content":"Hello"}]}');
    const first = replay({ code: 'too_large', value });
    expect(first.record.value).toBe(value);
    expect(first.record.headers['request-id']).toBe(first.identity.requestId);
    expect(replay({ code: 'too_large', value })).toEqual(first);
    expect(replay({ code: 'too_large', value, id: '3/17', at: 6 }).identity).not.toEqual(first.identity);

    const headers = { 'request-id': Buffer.from('r-9') };
    expect(replay({ value, headers }).identity.requestId).toBe('r-9');
    const poison = replay({ code: 'poison', value, headers });
    expect(poison.identity.requestId).toBe('r-9-replay-3-17');
    expect(poison.record).toMatchObject({ value, headers: { 'request-id': 'r-9-replay-3-17' } });
  });

  it('does not publish a letter that would only be dead-lettered again', () => {
    expect(reason({ value: Buffer.from('plain') })).toMatch(/^it still cannot be read: wrong_framing: /);
    expect(reason({ value: null })).toMatch(/^it still cannot be read: tombstone: /);
    expect(reason({ value: Buffer.from('{"messages"') })).toMatch(/still cannot be read: invalid_json/);
  });

  it('reports why a letter cannot be published', () => {
    expect(reason({ source: null })).toMatch(/the service did not write it/);
    expect(reason({ source: { topic: 'old.requests', partition: 0, offset: 0 } })).toBe(
      'it came from old.requests, which is not one of chat.requests, chat.requests.acme (CHAT_REQUEST_TOPICS)',
    );
    expect(reason({ isWithoutValue: true, value: null })).toMatch(/publish the record again from its source/);
  });

  it('does not lose fields that only a newer version knows', () => {
    const newer: DecodeOptions = {
      ...decode,
      codec: {
        ...codec,
        decode: (name, value, headers) => ({
          ...codec.decode(name, value, headers),
          unknownFields: ['messages[0].mood'],
        }),
      },
    };
    expect(() => replayLetter({ ...letter, code: 'poison' }, 'chat.requests.dead', newer)).toThrow(
      /^a newer writer set messages\[0\]\.mood, which would be lost/,
    );
    // Unchanged, its reader refuses it and reports that to its publisher.
    expect(replayLetter(letter, 'chat.requests.dead', newer).record.value).toBe(letter.value);
  });
});
