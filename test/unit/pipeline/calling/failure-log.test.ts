import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { errorCodes } from '../../../../src/domain/failures/chat-failure.ts';
import { failureOf } from '../../../../src/domain/failures/failure-classes.ts';
import { FailureLog } from '../../../../src/pipeline/calling/failure-log.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';

const call = { requestId: 'r1', tenantId: 'acme', provider: 'openai', model: 'gpt-4', attempt: 2 };

let lines: Record<string, unknown>[];
let log: FailureLog;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  log = new FailureLog(createLogger({ level: 'debug', destination }));
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a failed call', () => {
  it('is logged in one line with what an operator needs', () => {
    const details = {
      httpStatus: 429,
      providerCode: 'rate_limit_exceeded',
      providerRequestId: 'req_1',
      retryAfterMs: 7,
    };
    log.note(failureOf('rate_limited', 'openai says: slow down', true, details), call);
    expect(lines).toMatchObject([
      {
        ...call,
        ...details,
        level: 'warn',
        code: 'rate_limited',
        retryable: true,
        msg: 'openai says: slow down',
      },
    ]);
    expect(lines[0]).not.toHaveProperty('err');
  });

  it('is logged with its cause, if it has one', () => {
    log.note(failureOf('internal', 'a defect', false, { cause: new TypeError('x is undefined') }), call);
    expect(lines).toMatchObject([{ level: 'error', err: { type: 'TypeError', message: 'x is undefined' } }]);
  });

  it('is logged at a higher level the closer the person who has to act', () => {
    for (const code of errorCodes) log.note(failureOf(code, code, false), call);
    const codesOf = (level: string) =>
      lines.filter((line) => line['level'] === level).map((line) => line['code']);
    expect(codesOf('error')).toEqual([
      'invalid_credentials',
      'permission_denied',
      'quota_exceeded',
      'poison',
      'internal',
    ]);
    expect(codesOf('warn')).toEqual([
      'rate_limited',
      'provider_unavailable',
      'provider_error',
      'stream_interrupted',
      'timeout',
    ]);
    expect(codesOf('info')).toHaveLength(errorCodes.length - 10);
  });
});

describe('a thousand failures', () => {
  const fail = (times: number) => {
    for (let count = 0; count < times; count += 1) log.note(failureOf('rate_limited', 'slow', true), call);
  };

  it('of one kind are logged in two lines a minute', () => {
    fail(1_000);
    log.note(failureOf('rate_limited', 'slow', true), { ...call, provider: 'other' });
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(60_000);
    expect(lines.slice(2)).toMatchObject([
      { level: 'warn', provider: 'openai', code: 'rate_limited', calls: 999 },
    ]);
    fail(1);
    expect(lines).toHaveLength(4);
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(4);
  });

  it('are logged once more when the service stops, and then never again', () => {
    fail(3);
    log.close();
    expect(lines.at(-1)).toMatchObject({ calls: 2 });
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(2);
  });
});
