import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAvroCodec } from '../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../src/adapters/avro/load-schemas.ts';
import type { History } from '../support/history.ts';
import {
  consumeWithPython,
  decodeWithPython,
  encodeWithPython,
  produceWithPython,
  schemaPath,
} from '../support/python/python-peer.ts';
import { World } from '../support/world.ts';

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create({ partitions: 1 });
  await world.startWorker();
  history = await world.readHistory();
});

afterAll(() => world?.close());

test('a request written by Python is answered, and Python reads the response and the bill with its own library', async () => {
  const script = {
    toolCalls: [{ name: 'get_weather', arguments: { city: 'Zürich' } }],
    promptTokens: 100,
    completionTokens: 50,
  };
  const bootstrap = world.env['KAFKA_BROKERS'] ?? '';
  await produceWithPython(
    [
      {
        requestId: 'from-python',
        conversationId: 'snake',
        model: 'gpt-4',
        messages: [{ role: 'user', content: JSON.stringify({ standIn: script }) }],
        tools: [{ name: 'get_weather', parametersJson: '{"type":"object"}' }],
        labels: { team: 'données' },
      },
    ],
    {
      bootstrap,
      topic: world.topics.requests,
      key: 'snake',
      framing: 'single-object',
      schema: schemaPath('ChatRequest'),
    },
  );
  await history.until(({ costs }) => costs.length === 1);

  const read = (topic: string) => consumeWithPython({ bootstrap, topic, count: 1, framing: 'single-object' });
  const [response] = await read(world.topics.responses);
  const [cost] = await read(world.topics.costs);
  expect(response).toMatchObject({
    key: 'snake',
    record: {
      requestId: 'from-python',
      status: 'COMPLETED',
      error: null,
      cost: '0.006',
      labels: { team: 'données' },
      choices: [
        {
          finishReason: 'tool_calls',
          content: null,
          toolCalls: [{ name: 'get_weather', valid: true, problems: [] }],
        },
      ],
    },
  });
  expect(cost?.record).toMatchObject({
    totalCost: '0.006',
    inputCost: '0.003',
    outputCost: '0.003',
    otherCost: '0',
    estimatedCost: expect.any(String),
    adjustsEventId: null,
    lines: [
      { lineNumber: 1, kind: 'input', quantity: 100, unitPrice: '30', amount: '0.003' },
      { lineNumber: 2, kind: 'output', quantity: 50, unitPrice: '60', amount: '0.003' },
    ],
  });
});

test('with Confluent framing, Python reads the service’s records and the service reads Python’s', async () => {
  const ids = { ChatResponse: 7, CostCalculated: 8, ChatRequest: 9 } as const;
  const schemas = loadSchemas();
  const confluent = createAvroCodec({
    schemas,
    framing: {
      kind: 'confluent',
      idOf: (name) => ids[name as keyof typeof ids],
      schemaOf: (id) => (id === ids.ChatRequest ? schemas.current.ChatRequest : undefined),
    },
    maxBytes: 1_000_000,
  });
  const response = history.responses[0]?.value;
  const cost = history.costs[0]?.value;
  if (response === undefined || cost === undefined)
    throw new Error('the test before this one publishes them');

  const [readResponse] = await decodeWithPython(
    [confluent.encode('ChatResponse', response)],
    'confluent',
    schemaPath('ChatResponse'),
  );
  const [readCost] = await decodeWithPython(
    [confluent.encode('CostCalculated', cost)],
    'confluent',
    schemaPath('CostCalculated'),
  );
  expect(readResponse).toMatchObject({
    requestId: 'from-python',
    cost: '0.006',
    choices: [{ content: null }],
  });
  expect(readCost).toMatchObject({ totalCost: '0.006', lines: [{ amount: '0.003' }, { amount: '0.003' }] });

  const written = {
    requestId: 'framed',
    messages: [{ role: 'user', content: 'bonjour' }],
    temperature: 0.25,
  };
  const [value] = await encodeWithPython([written], 'confluent', schemaPath('ChatRequest'), ids.ChatRequest);
  const { record } = confluent.decode('ChatRequest', value ?? null);
  expect(record).toMatchObject({
    requestId: 'framed',
    temperature: 0.25,
    tenantId: 'default',
    maxCost: null,
    tools: [],
  });
  expect(record.messages[0]?.content).toBe('bonjour');
});
