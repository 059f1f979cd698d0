import { expect, it } from 'vitest';
import type { PublishFailure } from '../../../src/pipeline/chunks/chunk-failure.ts';
import { publishFailureLog } from '../../../src/pipeline/chunks/publish-failure-log.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';

it('logs the first failure of a kind and reason, and counts the others for an interval', () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } });
  const clock = new FakeClock();
  const log = publishFailureLog(logger, clock);
  const stream: PublishFailure = {
    kind: 'stream',
    reason: 'encoding',
    topic: 'chat.chunks',
    requestId: 'request-1',
    tenantId: 'default',
    attempt: 1,
    error: 'a value cannot be carried',
  };
  log(stream);
  log({ ...stream, requestId: 'request-2' });
  log({ ...stream, requestId: 'request-3' });
  log({ ...stream, reason: 'too_large' });
  log({ ...stream, kind: 'announcement' });
  clock.advance(10_000);
  log({ ...stream, requestId: 'request-4' });
  const { kind: _kind, ...fields } = stream;
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'error', ...fields, suppressed: 0 },
    { level: 'error', reason: 'too_large', suppressed: 0 },
    { level: 'warn', reason: 'encoding', suppressed: 0 },
    { level: 'error', requestId: 'request-4', suppressed: 2 },
  ]);
});
