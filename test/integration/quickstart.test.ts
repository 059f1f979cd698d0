import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Big } from 'big.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAvroCodec } from '../../src/adapters/avro/avro-codec.ts';
import { loadSchemas } from '../../src/adapters/avro/load-schemas.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { topicNames } from '../../src/contract/topics.ts';
import { History } from '../support/history.ts';

let history: History;
let output: string;
let exitCode: number | null;
/** The request ids of this run, from the output. */
let requestIds: string[];

beforeAll(async () => {
  ({ output, exitCode } = await runQuickstart());
  requestIds = [...new Set(output.match(/\b(?:story|weather)-[0-9a-f]{4}-\d\b/g))];
  const { KAFKA_BROKERS } = process.env;
  const env = { ...(KAFKA_BROKERS && { KAFKA_BROKERS }), KAFKA_GROUP_ID: 'quickstart' };
  const config = loadConfig(env, { readFile: () => '' });
  const codec = createAvroCodec({
    schemas: loadSchemas(),
    framing: { kind: 'single-object' },
    maxBytes: config.limits.recordMaxBytes,
  });
  history = await History.read(config.kafka, topicNames('quickstart'), codec);
  for (const requestId of requestIds) await history.untilAnswerTo(requestId);
});

afterAll(() => history?.close());

test('the quickstart succeeds without warnings', () => {
  expect(exitCode).toBe(0);
  expect(requestIds).toHaveLength(4);
  expect(output).toContain('a stand-in for OpenAI');
  expect(output).not.toContain('\u001b');
  expect(output).not.toMatch(/warning|kafkajs|"level"/i);
  expect(Math.max(...output.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80);
});

test('the text it shows matches the chunks and the responses', () => {
  const shown = spoken(output);
  for (const requestId of requestIds) {
    const response = history.originals.find((candidate) => candidate.requestId === requestId);
    const choice = response?.choices[0];
    expect(response?.status).toBe('COMPLETED');
    expect(history.textOf(requestId)).toBe(choice?.content ?? '');
    const said = choice?.toolCalls.map(({ name, arguments: input }) => `${name} ${input}`) ?? [];
    for (const text of [choice?.content ?? '', ...said]) expect(shown).toContain(text);
  }
});

test('its conversation with a tool leads from the call to the answer', () => {
  const [call, answer] = requestIds
    .filter((requestId) => requestId.startsWith('weather'))
    .map((requestId) => history.originals.find((candidate) => candidate.requestId === requestId));
  expect(call?.choices[0]).toMatchObject({
    finishReason: 'tool_calls',
    toolCalls: [{ name: 'get_weather' }],
  });
  expect(answer?.choices[0]).toMatchObject({ finishReason: 'stop', toolCalls: [] });
  expect(answer?.choices[0]?.content).toContain('21');
});

test('the cost table adds up, line by line, to the sum of the cost events', () => {
  const events = history.costs
    .map(({ value }) => value)
    .filter(({ requestId }) => requestIds.includes(requestId));
  const billed = events.reduce((sum, { totalCost }) => sum.plus(totalCost ?? 'missing'), new Big(0));
  const amounts = (kind: string) =>
    [...output.matchAll(new RegExp(`\\b${kind} .* ([\\d.]+) +USD$`, 'gm'))].map(([, amount]) => amount ?? '');
  const add = (values: readonly string[]) =>
    values.reduce((sum, value) => sum.plus(value), new Big(0)).toFixed();

  expect(amounts('cost')).toHaveLength(events.length);
  expect(amounts('sum')).toEqual([billed.toFixed()]);
  expect(add(amounts('cost'))).toBe(billed.toFixed());
  expect(add([...amounts('input'), ...amounts('output')])).toBe(billed.toFixed());
});

test('one trace runs from the producer over process and chat to the response', () => {
  const traceId = /^Trace {2}([0-9a-f]{32}) of (\S+)$/m.exec(output);
  const spans = [...output.matchAll(/^ {2}([ │├└─]*)(send|process|chat) (\S+) +(\S+) +\d+ ms/gm)];
  expect(spans.map(([, , operation, name, service]) => [operation, name, service])).toEqual([
    ['send', 'quickstart.requests', 'quickstart'],
    ['process', 'quickstart.requests', 'completion-bus'],
    ['chat', 'gpt-4o-mini', 'completion-bus'],
    ['send', 'quickstart.responses', 'completion-bus'],
  ]);
  expect(spans.map(([, indent = '']) => indent.length)).toEqual([0, 3, 6, 6]);

  const response = history.responses.find(({ value }) => value.requestId === traceId?.[2]);
  expect(String(response?.source.headers['traceparent'])).toContain(traceId?.[1]);
});

/** Runs it as in a pipe: without a terminal, colours or an API key. */
async function runQuickstart(): Promise<{ output: string; exitCode: number | null }> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  for (const name of Object.keys(env)) if (/^(AI_|OTEL_|FORCE_COLOR)/.test(name)) delete env[name];
  const child = spawn(process.execPath, ['scripts/run.mjs', '--no-install', 'scripts/quickstart.ts'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const [code] = await once(child, 'close');
  return { output: text, exitCode: code };
}

/** The text of each conversation, with its lines joined. */
function spoken(text: string): string {
  const lines = [...text.matchAll(/^ {2}(story|weather) +│ . ?(.*)$/gm)];
  return ['story', 'weather']
    .map((name) =>
      lines
        .filter(([, speaker]) => speaker === name)
        .map(([, , words = '']) => words)
        .join(' '),
    )
    .join('\n');
}
