import { expect, it } from 'vitest';
import { CheckHistory } from '../../../src/roles/check-history.ts';
import { databaseCheck } from '../../../src/roles/database-check.ts';

it('a check has its state since its last change, unless it has its own time', () => {
  const history = new CheckHistory();
  const sinceOf = (ok: boolean, now: number) =>
    history.note([{ name: 'lanes', ok }], now).map(({ since }) => since)[0];
  expect(sinceOf(false, 1_000)).toBe('1970-01-01T00:00:01.000Z');
  expect(sinceOf(false, 2_000)).toBe('1970-01-01T00:00:01.000Z');
  expect(sinceOf(true, 3_000)).toBe('1970-01-01T00:00:03.000Z');
  const [own] = history.note([{ name: 'kafka', ok: false, since: 'earlier' }], 4_000);
  expect(own?.since).toBe('earlier');
});

it('a database that does not answer is named, with its last answer, the error and what each role does in the meantime', () => {
  const error = new Error('connect ECONNREFUSED 127.0.0.1:1');
  expect(databaseCheck({ isUp: false, since: 5_000, error }, ['worker', 'ledger'])).toEqual({
    name: 'mongodb',
    ok: false,
    since: '1970-01-01T00:00:05.000Z',
    why:
      'the primary has not answered since 1970-01-01T00:00:05.000Z; meanwhile: calls in flight continue, their outcomes and new requests wait; ' +
      'spend is not added up; last error: connect ECONNREFUSED 127.0.0.1:1',
  });
});
