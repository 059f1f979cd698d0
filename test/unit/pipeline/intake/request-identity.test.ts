import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventId } from '../../../../src/contract/event-id.ts';
import type { ChatRequest } from '../../../../src/contract/record-types.ts';
import { requestBodyHash } from '../../../../src/pipeline/intake/request-identity.ts';
import { sampleMessage, sampleRequest } from '../../../support/fakes/sample-request.ts';

const hash = (members: Partial<ChatRequest> = {}) => requestBodyHash(sampleRequest(members)).toString('hex');

describe('requestBodyHash', () => {
  it('is the same for the same request', () => {
    expect(hash()).toBe(hash());
    expect(requestBodyHash(sampleRequest())).toHaveLength(32);
  });

  it('ignores the deadline and the labels', () => {
    expect(hash({ deadline: 5, labels: { team: 'search' } })).toBe(hash());
  });

  it.each<[string, Partial<ChatRequest>]>([
    ['text', { messages: [sampleMessage({ content: 'Hello!' })] }],
    ['role', { messages: [sampleMessage({ role: 'system' })] }],
    ['more messages', { messages: [sampleMessage(), sampleMessage()] }],
    ['model', { model: 'gpt-4' }],
    ['temperature of zero', { temperature: 0 }],
    ['tenant', { tenantId: 'acme' }],
    ['not streaming', { stream: false }],
    ['a bias', { logitBias: { '5': 1 } }],
    [
      'web search with its defaults',
      { webSearch: { contextSize: null, city: null, country: null, region: null, timezone: null } },
    ],
  ])('differs when the request differs: %s', (_what, members) => {
    expect(hash(members)).not.toBe(hash());
  });

  it('does not depend on the order of a map', () => {
    expect(hash({ providerMetadata: { a: '1', b: '2' } })).toBe(
      hash({ providerMetadata: { b: '2', a: '1' } }),
    );
    expect(hash({ providerMetadata: { a: '1', b: '2' } })).not.toBe(
      hash({ providerMetadata: { a: '2', b: '1' } }),
    );
  });

  it('stays the same when a later version adds empty fields', () => {
    const later = { ...sampleRequest(), mood: null, hints: [], notes: {} } as ChatRequest;
    expect(requestBodyHash(later).toString('hex')).toBe(hash());
  });

  it('includes the bytes of media', () => {
    const image = (bytes: number[]) => ({
      messages: [
        sampleMessage({
          content: null,
          parts: [
            {
              type: 'image_url',
              text: null,
              url: null,
              data: Buffer.from(bytes),
              mediaType: null,
              format: null,
              detail: null,
              fileId: null,
              fileName: null,
              cacheBreakpoint: null,
              extraJson: null,
            },
          ],
        }),
      ],
    });
    expect(hash(image([1, 2]))).toBe(hash(image([1, 2])));
    expect(hash(image([1, 2]))).not.toBe(hash(image([1, 3])));
  });
});

describe('eventId', () => {
  it('is a UUID of version 5 in its own namespace', () => {
    const namespace = Buffer.from('5d4a4b0c8e0f5f0e9a6c6f1d2b7e3a94', 'hex');
    const digest = createHash('sha1').update(namespace).update('["default","request-1",0]').digest('hex');
    const id = eventId('default', 'request-1', 0);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(id.slice(0, 13)).toBe(`${digest.slice(0, 8)}-${digest.slice(8, 12)}`);
    expect(id.slice(24)).toBe(digest.slice(20, 32));
  });

  it('never changes', () => {
    expect(eventId('default', 'request-1', 'ChatResponse', '')).toBe('f8dc37a1-ec25-5104-9bde-dde2b9c47dae');
  });

  it('differs for different parts, however they are split', () => {
    const part = fc.oneof(fc.string({ maxLength: 4 }), fc.nat(20));
    const parts = fc.array(part, { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(eventId(...one) === eventId(...other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
    expect(eventId('ab', 'c')).not.toBe(eventId('a', 'bc'));
    expect(eventId('1')).not.toBe(eventId(1));
  });
});
