import type { ChatRequestInput } from '../../../src/contract/record-types.ts';
import type { Random } from '../../faults/random.ts';
import { encodeSample, otherRecords } from '../generate/other-records.ts';
import { randomRecord } from '../generate/random-record.ts';
import { oddName, word } from '../generate/random-values.ts';
import type { HeaderBytes, RawRecord } from '../wire/raw-record.ts';

/** A record and its size. A record that nearly fills the topic's `max.message.bytes` is sent alone. */
export type MakeRecord = (token: string, random: Random) => RawRecord;

const HELLO = 'Say hello.';
/** Below RECORD_MAX_BYTES, with room for the rest of the request. */
const NEARLY_ALL_BYTES = 850_000;

/** Every kind of hostile record, by name. The token is the key and, where there can be one, the request id. */
export const hostileRecords: Readonly<Record<string, MakeRecord>> = {
  // Names that every JavaScript object has.
  'header-names-dead': (token, random) =>
    record(token, Buffer.from('neither Avro nor JSON'), oddHeaders(random)),
  'header-names-request': (token, random) =>
    record(token, json(token), [['request-id', token], ...oddHeaders(random)]),
  'header-names-twice': (token) =>
    record(token, Buffer.from('rubbish'), [
      ['toString', 'a'],
      ['toString', null],
      ['constructor', 'b'],
      ['__proto__', 'c'],
      ['__proto__', 'd'],
    ]),
  'header-names-bytes': (token) =>
    record(token, Buffer.from('rubbish'), [
      [Buffer.from([0xff, 0xfe, 0x00]), Buffer.from([0xff])],
      [Buffer.from([]), null],
    ]),
  'label-proto': (token, random) =>
    record(token, json(token), [
      ['request-id', token],
      ['tenant-id', 'hostile'],
      [
        `label-${random.pick(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a.b', '$where'])}`,
        'x',
      ],
    ]),
  'avro-label-constructor': (token) =>
    avro(token, { labels: { constructor: 'x', toString: 'y', valueOf: 'z' } }),
  // Headers in large number and size.
  'headers-many': (token, random) =>
    record(token, json(token), many(random.pick([2_000, 20_000, 60_000, 66_000, 130_000]), 'h')),
  'headers-many-dead': (token, random) =>
    record(token, Buffer.from('x'), many(random.pick([2_000, 20_000, 66_000, 130_000]), 'd')),
  'headers-same-name': (token) =>
    record(
      token,
      json(token),
      Array.from({ length: 100_000 }, () => ['a', ''] as const),
    ),
  'labels-many': (token) => record(token, json(token), [['request-id', token], ...many(2_000, 'label-')]),
  'header-large': (token) => record(token, Buffer.from('rubbish'), [['large', 'x'.repeat(1_000_000)]]),
  'header-name-large': (token) => record(token, Buffer.from('rubbish'), [['n'.repeat(500_000), 'x']]),
  // Regular expressions with catastrophic backtracking.
  'fallback-models-spaces': (token) => withHeader(token, 'fallback-models', ' '.repeat(130_000)),
  'fallback-models-commas': (token) => withHeader(token, 'fallback-models', ' ,'.repeat(65_000)),
  'deadline-long': (token) => withHeader(token, 'deadline', '2'.repeat(130_000)),
  'max-cost-long': (token, random) =>
    withHeader(
      token,
      'max-cost',
      random.pick(['9'.repeat(130_000), `0.${'0'.repeat(130_000)}1`, '1e999999999']),
    ),
  'traceparent-long': (token) => withHeader(token, 'tracestate', 'a=b,'.repeat(30_000)),
  'baggage-long': (token) => withHeader(token, 'baggage', 'a=b;c=d,'.repeat(20_000)),
  'request-id-odd': (token, random) =>
    record(token, json(token), [
      [
        'request-id',
        random.pick([`${token}\u0000`, `${token} ü`, `${token}/..`, `${token}${'x'.repeat(100_000)}`]),
      ],
    ]),
  'tenant-id-odd': (token, random) =>
    withHeader(
      token,
      'tenant-id',
      random.pick(['', ' ', '__proto__', 'x'.repeat(200_000), '$ne', 'a b', '\u0000']),
    ),
  // Schemas and patterns of tools.
  'schema-look-behinds': (token) =>
    avro(token, { tools: [tool(pattern(`${'(?<='.repeat(10_000)}a${')'.repeat(10_000)}`))], ...called }),
  'schema-large-class': (token) =>
    avro(token, { tools: [tool(pattern(`[${classOf(20_000)}]+$`))], ...called }),
  'schema-backtracking': (token, random) =>
    avro(token, {
      tools: [tool(pattern(random.pick(['^(a+)+$', '^(a|a)*$', '^([a-z]+)*!$', '(.*)*x', '(a?){50}a{50}'])))],
      ...called,
    }),
  'schema-alternatives': (token) =>
    avro(token, {
      tools: [tool(pattern(Array.from({ length: 8_000 }, (_, at) => `a${at}`).join('|')))],
      ...called,
    }),
  'schema-deep': (token) =>
    avro(token, { tools: [tool(`${'{"not":'.repeat(5_000)}{}${'}'.repeat(5_000)}`)], ...called }),
  'schema-recursive': (token) =>
    avro(token, { tools: [tool('{"$ref":"#"}'), tool('{"allOf":[{"$ref":"#/allOf/0"}]}')], ...called }),
  'schema-wide': (token) => avro(token, { tools: [tool(wideSchema())], ...called }),
  'schema-unique-items': (token) =>
    avro(token, {
      tools: [tool('{"properties":{"a":{"type":"array","uniqueItems":true}}}')],
      ...calledWith(`{"a":[${Array.from({ length: 20_000 }, (_, at) => `{"x":${at}}`).join(',')}]}`),
    }),
  'schema-many': (token, random) =>
    avro(token, {
      tools: Array.from({ length: 128 }, () => tool(pattern(`^${word(random)}$`), word(random))),
    }),
  'schema-format': (token) =>
    avro(token, {
      tools: [tool('{"properties":{"a":{"format":"email"},"b":{"format":"uri"}}}')],
      ...calledWith(JSON.stringify({ a: `${'a.'.repeat(50_000)}@`, b: `http://${'a'.repeat(100_000)}` })),
    }),
  'response-format-slow': (token) =>
    avro(token, {
      responseFormat: { type: 'json_schema', name: 'a', schemaJson: pattern('^(a+)+$') },
      ...said({ text: `{"a":"${'a'.repeat(40)}!"}` }),
    }),
  // JSON.
  'json-deep': (token, random) =>
    record(
      token,
      Buffer.from(`{"model":"gpt-4","x":${nested(random.pick([150, 5_000, 100_000, 400_000]))}}`),
    ),
  'json-wide': (token) =>
    record(token, Buffer.from(`{${Array.from({ length: 50_000 }, (_, at) => `"k${at}":${at}`).join(',')}}`)),
  'json-proto': (token) =>
    record(
      token,
      Buffer.from(
        '{"__proto__":{"model":"x"},"constructor":{"prototype":1},"model":"gpt-4","messages":[{"role":"user","content":"a","__proto__":null}]}',
      ),
    ),
  'json-numbers': (token) =>
    record(
      token,
      Buffer.from(`{"model":"gpt-4","seed":${'9'.repeat(100_000)},"temperature":1e999,"n":-0,"messages":[]}`),
    ),
  'json-many-messages': (token) =>
    record(
      token,
      Buffer.from(
        `{"model":"gpt-4","messages":[${'{"role":"user","content":""},'.repeat(25_000)}{"role":"user","content":"a"}]}`,
      ),
    ),
  'json-bytes': (token) => record(token, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
  'logit-bias-large': (token) =>
    avro(token, {
      logitBias: Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [String(at), 1])),
    }),
  'logit-bias-names': (token) =>
    avro(token, {
      logitBias: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`${'9'.repeat(60)}${at}`, 1])),
    }),
  'extra-json-deep': (token) => avro(token, { extraJson: `{"a":${nested(100_000)}}` }),
  'extra-json-wide': (token) =>
    avro(token, { extraJson: `{${Array.from({ length: 20_000 }, (_, at) => `"__p${at}":[]`).join(',')}}` }),
  // Text at the limit, for the tokenizer, the hash and the masking.
  'text-spaces': (token) =>
    avro(token, { messages: [{ role: 'user', content: ' '.repeat(NEARLY_ALL_BYTES) }], maxCost: '1000' }),
  'text-one-word': (token) =>
    avro(token, { messages: [{ role: 'user', content: 'a'.repeat(NEARLY_ALL_BYTES) }], maxCost: '1000' }),
  'text-letters': (token) =>
    avro(token, { messages: [{ role: 'user', content: 'ü'.repeat(NEARLY_ALL_BYTES / 2) }], maxCost: '1000' }),
  'text-emoji': (token) =>
    avro(token, { messages: [{ role: 'user', content: '👩‍👩‍👧‍👦'.repeat(30_000) }], maxCost: '1000' }),
  'text-newlines': (token) =>
    avro(token, { messages: [{ role: 'user', content: '\n \r\t'.repeat(200_000) }], maxCost: '1000' }),
  'image-data-url': (token) =>
    avro(token, {
      messages: [
        { role: 'user', parts: [{ type: 'image_url', url: `data:image/png;base64,${'A'.repeat(800_000)}` }] },
      ],
    }),
  'labels-large': (token) =>
    avro(token, {
      labels: Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`l${at}`, 'x'.repeat(1_000)])),
    }),
  // Values that are invalid, or not what their frame says.
  tombstone: (token) => record(token, null),
  'empty-value': (token) => record(token, Buffer.alloc(0)),
  'key-bytes': (token) => ({
    ...record(token, Buffer.from('x')),
    key: Buffer.concat([Buffer.from(token), Buffer.from([0xff])]),
  }),
  'key-none': (token) => ({ key: null, value: json(token), headers: [['request-id', token]] }),
  'key-large': (token) => ({ ...record(token, json(token)), key: Buffer.from(token + 'k'.repeat(300_000)) }),
  'framing-confluent': (token) =>
    record(token, Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), encodeSample(request(token)).subarray(10)])),
  'framing-glue': (token) =>
    record(
      token,
      Buffer.concat([Buffer.from([3, 0]), Buffer.alloc(16), encodeSample(request(token)).subarray(10)]),
    ),
  'framing-none': (token) => record(token, encodeSample(request(token)).subarray(10)),
  'fingerprint-unknown': (token) =>
    record(token, Buffer.concat([Buffer.from([0xc3, 1]), Buffer.from('whatever'), Buffer.alloc(50)])),
  'fingerprint-other': (token, random) => record(token, random.pick(otherRecords.slice(1))),
  'avro-truncated': (token, random) => {
    const whole = encodeSample(request(token));
    return record(token, whole.subarray(0, random.between(11, whole.length - 1)));
  },
  'avro-lengths': (token) =>
    record(
      token,
      Buffer.concat([
        encodeSample(request(token)).subarray(0, 10),
        Buffer.from(Array<number>(9).fill(0xff)),
        Buffer.from([1]),
      ]),
    ),
  'avro-array-count': (token) => record(token, avroWithEndlessArray(token)),
  'value-too-large': (token) => record(token, Buffer.alloc(1_000_000, 0x7b)),
  // Ids and tenants of others.
  'tenant-of-a-bound-topic': (token) => withHeader(token, 'tenant-id', 'tenant-9'),
  'id-of-a-bound-topic': (token) =>
    record(token, json(token), [
      ['request-id', 'nine:9-1'],
      ['tenant-id', 'tenant-9'],
    ]),
  'same-id-again': (_token, random) => avro('hostile-same', { labels: { at: word(random) } }, 'hostile-same'),
  fuzzed: (token, random) => ({
    ...randomRecord(random.between(0, 1e9), random.between(0, 1e9)),
    key: Buffer.from(token),
    headers: [
      ['request-id', token],
      ['tenant-id', 'hostile'],
    ],
  }),
};

function record(token: string, value: Buffer | null, headers: readonly HeaderBytes[] = []): RawRecord {
  return { key: Buffer.from(token), value, headers };
}

function withHeader(token: string, name: string, value: string): RawRecord {
  const own: HeaderBytes[] = name === 'tenant-id' ? [] : [['tenant-id', 'hostile']];
  return record(token, json(token), [['request-id', token], ...own, [name, value]]);
}

function json(token: string): Buffer {
  return Buffer.from(
    JSON.stringify({ model: 'gpt-4', messages: [{ role: 'user', content: `${HELLO} ${token}` }] }),
  );
}

function request(token: string, members: Partial<ChatRequestInput> = {}): ChatRequestInput {
  return {
    requestId: token,
    tenantId: 'hostile',
    model: 'gpt-4',
    messages: [{ role: 'user', content: HELLO }],
    ...members,
  };
}

export function avro(token: string, members: Partial<ChatRequestInput>, key = token): RawRecord {
  return { key: Buffer.from(key), value: encodeSample(request(token, members)), headers: [] };
}

function many(count: number, prefix: string): HeaderBytes[] {
  return Array.from({ length: count }, (_, at) => [`${prefix}${at}`, ''] as const);
}

function oddHeaders(random: Random): HeaderBytes[] {
  return ['toString', 'constructor', '__proto__', 'hasOwnProperty', oddName(random)].map(
    (name) => [name, 'x'] as const,
  );
}

const tool = (parametersJson: string, name = 'get_weather') => ({ name, parametersJson });
const pattern = (text: string) =>
  JSON.stringify({ type: 'object', properties: { a: { type: 'string', pattern: text } } });
const said = (script: unknown) => ({
  messages: [{ role: 'user', content: JSON.stringify({ standIn: script }) }],
});
const calledWith = (text: string) => said({ toolCalls: [{ name: 'get_weather', arguments: text }] });
/** The model calls the tool, so that its arguments are checked against the schema. */
const called = calledWith(JSON.stringify({ a: `${'a'.repeat(50)}!` }));

function classOf(ranges: number): string {
  return Array.from({ length: ranges }, (_, at) => String.fromCodePoint(0x4e00 + at)).join('');
}

function wideSchema(): string {
  const properties = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, at) => [`p${at}`, { anyOf: [{ type: 'string' }, { minimum: at }] }]),
  );
  return JSON.stringify({ type: 'object', properties });
}

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

/** An array that claims two billion entries of zero bytes. */
function avroWithEndlessArray(token: string): Buffer {
  const whole = encodeSample(request(token));
  return Buffer.concat([
    whole.subarray(0, whole.length - 8),
    Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f]),
    Buffer.alloc(200),
  ]);
}
