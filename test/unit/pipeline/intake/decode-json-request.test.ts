import { describe, expect, it } from 'vitest';
import { readBody } from '../../../../src/adapters/openai/json-body/read-body.ts';
import { validateRequest } from '../../../../src/pipeline/handling/validate-request.ts';
import { decodeJsonRequest, isJsonObject } from '../../../../src/pipeline/intake/decode-json-request.ts';
import type { InboundRecord, RecordHeaders } from '../../../../src/ports/kafka.ts';
import { sampleRequest } from '../../../support/fakes/sample-request.ts';

const hello = { model: 'gpt-4', messages: [{ role: 'user', content: 'Hello' }] };

function record(headers: RecordHeaders = {}, members: Partial<InboundRecord> = {}): InboundRecord {
  const place = { topic: 'chat.requests', partition: 1, offset: 7, timestamp: 1 };
  return { ...place, key: null, value: null, headers, ...members };
}

const decodeText = (text: string | Buffer, headers: RecordHeaders = {}) =>
  decodeJsonRequest(record(headers), Buffer.from(text), { readBody, jsonMaxBytes: 1_000 });
const decode = (headers: RecordHeaders = {}, members: Partial<InboundRecord> = {}) =>
  decodeJsonRequest(record(headers, members), Buffer.from(JSON.stringify(hello)), {
    readBody,
    jsonMaxBytes: 1_000,
  });

describe('isJsonObject', () => {
  it.each([
    ['an object', '{}', true],
    ['an object after spaces', ' \r\n\t{', true],
    ['an object after a byte order mark', '\ufeff {', true],
    ['a list', '[{}]', false],
    ['text', 'hello {', false],
    ['nothing', '', false],
    ['spaces', '  ', false],
  ])('%s', (_what, text, expected) => {
    expect(isJsonObject(Buffer.from(text))).toBe(expected);
  });

  it('is false for every framing and for a tombstone', () => {
    expect(isJsonObject(Buffer.from([0xc3, 0x01, 0x7b]))).toBe(false);
    expect(isJsonObject(Buffer.from([0x00, 0, 0, 0, 0x7b]))).toBe(false);
    expect(isJsonObject(null)).toBe(false);
  });
});

describe('decodeJsonRequest', () => {
  it('takes the request from the body, and the service’s own fields from the headers', () => {
    const { request, problems } = decode({
      'request-id': Buffer.from('r-1'),
      'tenant-id': 'acme',
      'conversation-id': 'c-1',
      'user-id': ['u-1'],
      provider: 'openai',
      'fallback-models': 'gpt-4o, xai/grok-4',
      history: 'stored',
      'restart-on-break': 'false',
      deadline: '1767225600000',
      'max-cost': '0.25',
      'max-cost-currency': 'USD',
      'label-team': Buffer.from('données'),
      'label-': 'nameless',
      traceparent: '00-x',
    });
    expect(problems).toEqual([]);
    expect(request).toEqual(
      sampleRequest({
        requestId: 'r-1',
        tenantId: 'acme',
        conversationId: 'c-1',
        userId: 'u-1',
        provider: 'openai',
        model: 'gpt-4',
        fallbackModels: ['gpt-4o', 'xai/grok-4'],
        history: 'STORED',
        restartOnBreak: false,
        deadline: 1_767_225_600_000,
        maxCost: '0.25',
        maxCostCurrency: 'USD',
        labels: { team: 'données' },
      }),
    );
  });

  it('needs no header, and gives a redelivered record the same id', () => {
    const { request, problems } = decode();
    expect(problems).toEqual([]);
    expect(request.requestId).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(decode({ 'request-id': '' }).request.requestId).toBe(request.requestId);
    for (const other of [{ topic: 'x' }, { partition: 2 }, { offset: 8 }, { timestamp: 2 }])
      expect(decode({}, other).request.requestId).not.toBe(request.requestId);
    expect(request).toEqual(sampleRequest({ requestId: request.requestId, model: 'gpt-4' }));
  });

  it.each<[string, RecordHeaders, string]>([
    ['an id that is not UTF-8', { 'request-id': Buffer.from([0xff]) }, 'headers.request-id'],
    ['an id twice', { 'request-id': ['a', 'b'] }, 'headers.request-id'],
    ['a history of no kind', { history: 'SOME' }, 'headers.history'],
    ['a switch of no kind', { 'restart-on-break': '1' }, 'headers.restart-on-break'],
    ['a time without offset', { deadline: '2026-01-31T12:00:00' }, 'headers.deadline'],
    ['a day that is not', { deadline: '2026-13-31T12:00:00Z' }, 'headers.deadline'],
    ['a label that is not UTF-8', { 'label-team': Buffer.from([0xff]) }, 'headers.label-team'],
  ])('refuses %s', (_what, headers, path) => {
    expect(decode(headers).problems).toEqual([
      { path, code: 'invalid_value', message: expect.stringMatching(/^it must be/) },
    ]);
  });

  it('reads ISO 8601 times with their offset', () => {
    const deadline = (text: string) => decode({ deadline: text }).request.deadline;
    expect(deadline('2026-01-31T12:00:00Z')).toBe(Date.UTC(2026, 0, 31, 12));
    expect(deadline('2026-01-31T12:00:00.5+01:00')).toBe(Date.UTC(2026, 0, 31, 11, 0, 0, 500));
    expect(decode({ history: 'none' }).request.history).toBe('NONE');
    expect(decode({ 'restart-on-break': 'true' }).request.restartOnBreak).toBe(true);
  });

  it('reports all problems of headers and body at once, without consequential ones', () => {
    const body = {
      messages: [
        { role: 'user', content: 7 },
        { role: 'robot', content: 'x' },
      ],
      temperature: 9,
    };
    const { request, problems } = decodeText(JSON.stringify(body), { deadline: 'soon' });
    expect([...problems, ...validateRequest(request, problems)].map(({ path }) => path)).toEqual([
      'headers.deadline',
      'messages[0].content',
      'messages[1].role',
      'temperature',
    ]);
    const none = decodeText('{"messages":"Hello"}');
    expect([...none.problems, ...validateRequest(none.request, none.problems)]).toMatchObject([
      { path: 'messages', code: 'wrong_type' },
    ]);
  });

  it('refuses an object with too many members without parsing it', () => {
    const members = Array.from({ length: 60_000 }, (_, index) => `"k${index}":0`);
    const value = Buffer.from(`{"model":"m",${members.join(',')}}`);
    const { problems, request } = decodeJsonRequest(record(), value, { readBody, jsonMaxBytes: 900_000 });
    expect(problems).toEqual([
      { path: '', code: 'wrong_type', message: expect.stringMatching(/120002 .* at most 100000/) },
    ]);
    expect(request.extraJson).toBeNull();
  });

  it('refuses a deeply nested object without walking through it', () => {
    const { request, problems } = decodeText(`{"a":${'['.repeat(400)}${']'.repeat(400)}}`);
    expect([...problems, ...validateRequest(request, problems)]).toEqual([
      { path: '', code: 'wrong_type', message: expect.stringContaining('deeper than 72 levels') },
    ]);
  });

  it.each<[string, string | Buffer, string]>([
    ['text that is not JSON', '{"messages":[my diary', 'invalid_json'],
    ['two objects', '{}{}', 'invalid_json'],
    ['what is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_json'],
    ['what is too large', `{"a":"${'x'.repeat(1_000)}"}`, 'too_large'],
  ])('does not read %s', (_what, text, code) => {
    const attempt = () => decodeText(text);
    expect(attempt).toThrow(expect.objectContaining({ code }));
    expect(attempt).not.toThrow('diary');
  });
});
