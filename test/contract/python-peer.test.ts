import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAvroCodec, type OutputFraming } from '../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../src/adapters/avro/load-schemas.ts';
import { RECORD_NAMES } from '../../src/contract/record-types.ts';
import {
  decodeWithPython,
  encodeWithPython,
  ensurePython,
  schemaPath,
} from '../support/python/python-peer.ts';
import { sampleCost, sampleRequest, sampleResponse } from './sample-records.ts';

const framings: OutputFraming[] = [
  { kind: 'single-object' },
  {
    kind: 'confluent',
    idOf: (name) => RECORD_NAMES.indexOf(name) + 1,
    schemaOf: (id) => readFileSync(schemaPath(RECORD_NAMES[id - 1] ?? ''), 'utf8'),
  },
];

/** The peer's printed form: bytes are base64. */
function asJson(record: unknown): unknown {
  const base64 = (_key: string, value: unknown) => {
    const isBytes = typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
    return isBytes && 'data' in value ? Buffer.from(value.data as number[]).toString('base64') : value;
  };
  return JSON.parse(JSON.stringify(record), base64);
}

beforeAll(async () => {
  await ensurePython();
}, 180_000);

describe.each(framings)('with $kind framing, Python with fastavro', (framing) => {
  const codec = createAvroCodec({ schemas: loadSchemas(), framing, maxBytes: 1_000_000 });

  test('reads a response: decimals, nulls, arrays, enums and bytes', async () => {
    const value = codec.encode('ChatResponse', sampleResponse);
    const [read] = await decodeWithPython([value], framing.kind, schemaPath('ChatResponse'));
    expect(read).toEqual(asJson(sampleResponse));
  });

  test('reads a cost event to the last decimal', async () => {
    const smallest = {
      ...sampleCost,
      totalCost: '0.000000000001',
      inputCost: '99999999999999999999999999.5',
    };
    const values = [sampleCost, smallest].map((event) => codec.encode('CostCalculated', event));
    const read = await decodeWithPython(values, framing.kind, schemaPath('CostCalculated'));
    expect(read).toEqual([asJson(sampleCost), asJson(smallest)]);
  });

  test('writes a request that this service reads', async () => {
    const schema = schemaPath('ChatRequest');
    const schemaId = RECORD_NAMES.indexOf('ChatRequest') + 1;
    const [value] = await encodeWithPython([asJson(sampleRequest)], framing.kind, schema, schemaId);
    const { record, unknownFields } = codec.decode('ChatRequest', value ?? null);
    expect(record).toEqual(codec.decode('ChatRequest', codec.encode('ChatRequest', sampleRequest)).record);
    expect(record).toMatchObject({ tenantId: 'default', temperature: 0.7, history: 'NONE', stream: true });
    expect(unknownFields).toEqual([]);
  });
});
