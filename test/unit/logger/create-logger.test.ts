import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger, kafkaLogCreator, type LoggerOptions } from '../../../src/runtime/logger.ts';

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { lines, logger: createLogger({ level: 'debug', destination, ...options }) };
}

describe('createLogger', () => {
  it('writes JSON lines with level, time and the given base', () => {
    const { lines, logger } = capture({ base: { service: 'completion-bus' } });
    logger.info({ topic: 'chat.requests' }, 'partition assigned');
    expect(lines).toMatchObject([
      { level: 'info', service: 'completion-bus', topic: 'chat.requests', msg: 'partition assigned' },
    ]);
    expect(lines[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect(lines[0]).not.toHaveProperty('trace_id');
  });

  it('adds the ids of the active span', () => {
    const { lines, logger } = capture();
    const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
    context.with(trace.setSpanContext(context.active(), ids), () => logger.warn('late'));
    expect(lines).toMatchObject([{ trace_id: ids.traceId, span_id: ids.spanId }]);
  });

  it('redacts fields that look like secrets, even inside objects', () => {
    const { lines, logger } = capture();
    logger.info({
      apiKey: 'hunter1',
      sasl: { username: 'bus', password: 'hunter2' },
      request: { headers: { authorization: 'Bearer hunter3', accept: '*/*' } },
    });
    expect(JSON.stringify(lines)).not.toContain('hunter');
    expect(lines).toMatchObject([
      { apiKey: '[redacted]', sasl: { username: 'bus' }, request: { headers: { accept: '*/*' } } },
    ]);
  });

  it('writes an error with its message, stack and code', () => {
    const { lines, logger } = capture();
    logger.error({ err: Object.assign(new Error('no primary'), { code: 'ECONNREFUSED' }) }, 'database');
    expect(lines).toMatchObject([
      { err: { message: 'no primary', code: 'ECONNREFUSED', stack: expect.any(String) } },
    ]);
  });

  it('leaves out lines below its level', () => {
    const { lines, logger } = capture({ level: 'warn' });
    logger.info('unimportant');
    logger.warn('important');
    expect(lines).toMatchObject([{ msg: 'important' }]);
  });

  it('writes to standard output by default', () => {
    expect(createLogger({ level: 'silent' }).level).toBe('silent');
  });
});

describe('kafkaLogCreator', () => {
  const entry = (level: number, message: unknown) => ({
    namespace: 'Connection',
    level,
    log: { timestamp: '2026-01-01T00:00:00Z', logger: 'kafkajs', message, broker: '127.0.0.1:9092' },
  });

  it.each([
    [1, 'Failed to connect to broker, reconnecting', 'warn'],
    [2, 'The group is rebalancing, re-joining', 'warn'],
    [1, 'Response AddOffsetsToTxn(key: 25, version: 1)', 'debug'],
    [4, 'Consumer has joined the group', 'debug'],
    [5, 'Request Fetch(key: 1, version: 11)', 'debug'],
  ])('logs level %d (%s) as %s', (level, message, expected) => {
    const { lines, logger } = capture();
    kafkaLogCreator(logger)()(entry(level, message));
    expect(lines).toEqual([
      {
        level: expected,
        time: expect.not.stringMatching('2026-01-01'),
        component: 'kafkajs',
        namespace: 'Connection',
        broker: '127.0.0.1:9092',
        msg: message,
      },
    ]);
  });

  it('accepts an error in place of a message', () => {
    const { lines, logger } = capture();
    kafkaLogCreator(logger)()(entry(1, new Error('no brokers')));
    expect(lines).toMatchObject([{ level: 'warn', msg: 'Error: no brokers' }]);
  });
});
