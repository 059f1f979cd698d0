import { describe, expect, test, vi } from 'vitest';
import { createAvroCodec, type OutputFraming } from '../../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../../src/adapters/avro/load-schemas.ts';
import type { RecordName } from '../../../src/contract/record-types.ts';
import { UndecodableRecord } from '../../../src/contract/undecodable-record.ts';
import { sampleCost, sampleRequest, sampleResponse } from '../../contract/sample-records.ts';

const schemas = loadSchemas();
const singleObject = createAvroCodec({ schemas, framing: { kind: 'single-object' }, maxBytes: 1_000_000 });

interface SchemaJson {
  name: string;
  fields: { name: string; type: unknown; doc?: string; default?: unknown }[];
}

/** A codec whose registry knows only these schemas, from id 1. */
function withRegistry(...registered: string[]) {
  const schemaOf = vi.fn((id: number) => registered[id - 1]);
  const framing: OutputFraming = { kind: 'confluent', idOf: () => 1, schemaOf };
  return { codec: createAvroCodec({ schemas, framing, maxBytes: 1_000_000 }), schemaOf };
}

/** The current schema of a record, changed. */
function variant(name: RecordName, change: (schema: SchemaJson) => void): string {
  const schema = JSON.parse(schemas.current[name]) as SchemaJson;
  change(schema);
  return JSON.stringify(schema);
}

/** A codec that has `json` for its `name`, as a writer of another version would. */
function writerWith(name: RecordName, json: string, framing: OutputFraming = { kind: 'single-object' }) {
  const current = { ...schemas.current, [name]: json };
  return createAvroCodec({ schemas: { current, released: [] }, framing, maxBytes: 1_000_000 });
}

const confluentWriter: OutputFraming = { kind: 'confluent', idOf: () => 1, schemaOf: () => undefined };

/** Confluent framing, schema id 1, and a body of zeros. */
const confluentZeros = Buffer.from(`0000000001${'00'.repeat(40)}`, 'hex');

function refusal(action: () => unknown): UndecodableRecord {
  try {
    action();
  } catch (error) {
    if (error instanceof UndecodableRecord) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a writer of another version', () => {
  test('that is released is read by its fingerprint, with defaults for newer fields', () => {
    const older = variant('CancelRequest', (schema) => schema.fields.pop());
    const value = writerWith('CancelRequest', older).encode('CancelRequest', { requestId: 'r' });
    const codec = createAvroCodec({
      schemas: { ...schemas, released: [...schemas.released, older] },
      framing: { kind: 'single-object' },
      maxBytes: 1000,
    });
    for (let time = 0; time < 2; time += 1) {
      expect(codec.decode('CancelRequest', value)).toEqual({
        record: { requestId: 'r', tenantId: 'default', reason: null },
        unknownFields: [],
      });
    }
  });

  test('with every kind of value is read, decimals and bytes included', () => {
    const older = variant('CostCalculated', (schema) => {
      schema.fields = schema.fields.filter(({ name }) => name !== 'userId');
    });
    const codec = withRegistry(older).codec;
    const writer = writerWith('CostCalculated', older, confluentWriter);
    const { record, unknownFields } = codec.decode(
      'CostCalculated',
      writer.encode('CostCalculated', sampleCost),
    );
    expect(record).toEqual(sampleCost);
    expect(unknownFields).toEqual([]);

    const response = variant('ChatResponse', (schema) => {
      schema.fields = schema.fields.filter(({ name }) => name !== 'labels');
    });
    const responseWriter = writerWith('ChatResponse', response, confluentWriter);
    const value = responseWriter.encode('ChatResponse', sampleResponse);
    expect(withRegistry(response).codec.decode('ChatResponse', value).record).toEqual({
      ...sampleResponse,
      labels: {},
    });
  });

  test('is looked up in the registry once', () => {
    const { codec, schemaOf } = withRegistry(schemas.current.CancelRequest);
    const value = codec.encode('CancelRequest', { requestId: 'r' });
    codec.decode('CancelRequest', value);
    codec.decode('CancelRequest', value);
    expect(schemaOf).toHaveBeenCalledOnce();
  });

  test('has its unknown fields reported', () => {
    const newer = variant('ChatRequest', (schema) => {
      schema.fields.push(
        { name: 'mood', type: ['null', 'string'], default: null },
        { name: 'size', type: { type: 'fixed', name: 'Size', size: 2 }, default: '\u0000\u0001' },
        { name: 'weight', type: 'float', default: 1 },
        { name: 'either', type: ['null', 'int', 'float'], default: null },
        { name: 'required', type: ['null', 'string'] },
      );
      const messages = schema.fields.find(({ name }) => name === 'messages')?.type as { items: SchemaJson };
      messages.items.fields.push({ name: 'tone', type: 'string', default: 'plain' });
      const choice = schema.fields.find(({ name }) => name === 'toolChoice')?.type as [string, SchemaJson];
      choice[1].fields.push({ name: 'limit', type: 'int', default: 0 });
    });
    const writer = writerWith('ChatRequest', newer, confluentWriter);
    const unknownFields = (extra: object) => {
      const value = writer.encode('ChatRequest', { ...sampleRequest, required: null, ...extra } as never);
      return withRegistry(newer).codec.decode('ChatRequest', value).unknownFields;
    };
    expect(unknownFields({})).toEqual([]);
    expect(unknownFields({ mood: null, weight: 1, toolChoice: { mode: 'auto' } })).toEqual([]);
    expect(
      unknownFields({
        messages: [{ role: 'user' }, { role: 'user', tone: 'rude' }],
        toolChoice: { mode: 'auto', limit: 3 },
        mood: 'good',
        size: Buffer.from([1, 1]),
        weight: 2,
        either: { float: 5 },
        required: 'x',
      }),
    ).toEqual(['messages[1].tone', 'toolChoice.limit', 'mood', 'size', 'weight', 'either', 'required']);
  });

  test('with an unknown symbol is read as UNKNOWN', () => {
    const newer = variant('ChatRequest', (schema) => {
      const history = schema.fields.find(({ name }) => name === 'history')?.type as { symbols: string[] };
      history.symbols.push('SUMMARIZED');
    });
    const value = writerWith('ChatRequest', newer, confluentWriter).encode('ChatRequest', {
      requestId: 'r',
      history: 'SUMMARIZED' as 'STORED',
    });
    expect(withRegistry(newer).codec.decode('ChatRequest', value).record.history).toBe('UNKNOWN');
  });

  test('with an incompatible schema is refused', () => {
    const broken = variant('CancelRequest', (schema) => schema.fields.shift());
    const { codec } = withRegistry(broken);
    const error = refusal(() => codec.decode('CancelRequest', Buffer.from('0000000001027400', 'hex')));
    expect(error.code).toBe('wrong_type');
    expect(error.message).toContain(
      'no matching field for default-less completionbus.v1.CancelRequest.requestId',
    );
  });

  test.each([
    ['decimals of another scale', { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 10 }],
    ['decimals without a scale', { type: 'bytes', logicalType: 'decimal', precision: 38 }],
    ['text for a decimal', 'string'],
    [
      'a decimal of fixed size',
      { type: 'fixed', name: 'Money', size: 8, logicalType: 'decimal', precision: 9 },
    ],
  ])('that has %s is refused', (_case, type) => {
    const other = variant('MessageSent', (schema) => {
      const cost = schema.fields.find(({ name }) => name === 'estimatedCost');
      if (cost) cost.type = ['null', type];
    });
    const error = refusal(() => withRegistry(other).codec.decode('MessageSent', confluentZeros));
    expect(error.code).toBe('wrong_type');
  });

  test.each([
    ['bytes for text', 'reason', 'bytes'],
    ['a number for text', 'requestId', 'int'],
  ])('that has %s is refused', (_case, field, type) => {
    const other = variant('CancelRequest', (schema) => {
      const changed = schema.fields.find(({ name }) => name === field);
      if (changed) Object.assign(changed, { type: field === 'reason' ? ['null', type] : type });
    });
    const error = refusal(() => withRegistry(other).codec.decode('CancelRequest', confluentZeros));
    expect(error.code).toBe('wrong_type');
  });

  test('that has microseconds instead of milliseconds is refused', () => {
    const micros = schemas.current.ModelChanged.replace('timestamp-millis', 'timestamp-micros');
    const error = refusal(() => withRegistry(micros).codec.decode('ModelChanged', confluentZeros));
    expect(error.code).toBe('wrong_type');
  });

  test('that has text instead of bytes is refused', () => {
    const other = schemas.current.ChatChunk.replace('"bytes"', '"string"');
    const error = refusal(() => withRegistry(other).codec.decode('ChatChunk', confluentZeros));
    expect(error.code).toBe('wrong_type');
  });

  test('with recursive nesting is refused without a crash', () => {
    const node = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] };
    const nested = variant('CancelRequest', (schema) =>
      schema.fields.push({ name: 'node', type: ['null', node], default: null }),
    );
    const { codec } = withRegistry(nested);
    const deep = Buffer.concat([
      Buffer.from('0000000001' + '0272027400', 'hex'),
      Buffer.alloc(200_000, 2),
      Buffer.from([0]),
    ]);
    expect(refusal(() => codec.decode('CancelRequest', deep)).code).toBe('wrong_value');
    const shallow = Buffer.from('0000000001' + '0272027400' + '020200', 'hex');
    expect(codec.decode('CancelRequest', shallow).unknownFields).toEqual(['node']);
  });

  test('that writes arrays in blocks with their size is read', () => {
    const request = singleObject.encode('ChatRequest', { requestId: 'r', fallbackModels: ['a', 'b'] });
    const countAt = 10 + 2 + 8 + 4;
    // Count -2, size 4, then the same items.
    const blocks = Buffer.concat([
      request.subarray(0, countAt),
      Buffer.from('0308', 'hex'),
      request.subarray(countAt + 1),
    ]);
    expect(singleObject.decode('ChatRequest', blocks).record.fallbackModels).toEqual(['a', 'b']);
  });

  test.each(['avro.java.string', 'logicalType'])('with a string attribute (%s) is read', (attribute) => {
    const java = schemas.current.CancelRequest.replace(
      '"type": "string"',
      `"type": {"type": "string", "${attribute}": "uuid"}`,
    );
    const value = Buffer.from('0000000001' + '0272' + '0274' + '00', 'hex');
    expect(withRegistry(java).codec.decode('CancelRequest', value).record.requestId).toBe('r');
  });
});
