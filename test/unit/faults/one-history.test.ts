import { expect, test } from 'vitest';
import { oneHistory } from '../../faults/one-history.ts';
import { at, response } from './forged-evidence.ts';

const refusal = response('a', {
  eventId: '1',
  attempts: 0,
  error: { code: 'invalid_request', retryable: false, param: null },
});
const letter = { key: null, value: null, headers: { 'dead-partition': '0', 'dead-offset': '4' } };
const outputs = (responses: (typeof refusal)[], dead = [letter]) =>
  ({ responses: responses.map(at), generated: [], costs: [], chunks: [], dead }) as never;

test('a refusal or dead letter that two clusters have counts once', () => {
  const { responses, dead } = oneHistory([outputs([refusal]), outputs([refusal])]);
  expect([responses.length, dead.length]).toEqual([1, 1]);
});

test('one that the same cluster has twice counts twice, and so does every answer', () => {
  const { responses, dead } = oneHistory([outputs([refusal, refusal], [letter, letter])]);
  expect([responses.length, dead.length]).toEqual([2, 2]);
  const answer = response('b', { eventId: '2' });
  expect(oneHistory([outputs([answer]), outputs([answer])]).responses).toHaveLength(2);
});
