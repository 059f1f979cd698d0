import { describe, expect, test } from 'vitest';
import type { ResponseGenerated } from '../../../src/contract/record-types.ts';
import { at, call, check, chunksOf, type Forged, response, values } from './forged-evidence.ts';

test('a history in which every guarantee holds has no breaches', () => {
  expect(check(() => undefined)).toEqual([]);
});

test('repeated chunks, and a zombie’s chunks of a lower attempt, are no breach', () => {
  expect(
    check(({ chunks }) => {
      chunks.push(...chunksOf('a', 1));
      for (const chunk of chunksOf('b', 1).slice(1)) chunks.push(chunk);
    }),
  ).toEqual([]);
});

test('a lost call that was billed is no breach where workers may be lost', () => {
  const forge = (lostCalls: boolean) =>
    check((evidence) => {
      const [, b] = values(evidence.costs);
      const lost = b?.calls[0];
      if (lost !== undefined) lost.disposition = 'ORPHANED';
      evidence.allowances.lostCalls = lostCalls;
    });
  expect(forge(true)).toEqual([]);
  expect(forge(false)).toEqual(['call b/1: ORPHANED, although no worker was lost']);
});

test('records that vanished from the log may be answered or not, but not twice', () => {
  const forge = (answers: number, lostRecords = false) =>
    check((evidence) => {
      evidence.vanished.push({ key: 'k', requestId: 'v' });
      evidence.allowances.lostRecords = lostRecords;
      for (let count = 0; count < answers; count += 1) {
        evidence.responses.push(at(response('v', { status: 'FAILED', error: refusal, costEventId: null })));
        evidence.generated.push(at({ requestId: 'v' } as ResponseGenerated));
      }
    });
  const refusal = { code: 'provider_unavailable', retryable: true, param: null } as const;
  expect(forge(0)).toEqual([]);
  expect(forge(1)).toEqual([]);
  expect(forge(2)).toEqual(['v: 2 responses to 1 records: doubled']);
  // The number of its copies in the deleted topic is unknown.
  expect(forge(2, true)).toEqual([]);
});

test('a replay may differ only where the broker refused an answer', () => {
  const forge = (refusedAnswers: boolean) =>
    check((evidence) => {
      const error = { code: 'internal', retryable: false, param: null } as const;
      const costEventId = values(evidence.responses)[2]?.costEventId ?? null;
      evidence.responses[3] = at(response('c', { replayed: true, status: 'FAILED', error, costEventId }));
      evidence.allowances.refusedAnswers = refusedAnswers;
    });
  expect(forge(true)).toEqual([]);
  expect(forge(false)).toContain('c: the replay says something else than the original');
});

test('a call whose record vanished must be billed unless its worker died or all records are lost', () => {
  const forge = (deaths: number, lostRecords = false) =>
    check((evidence) => {
      evidence.vanished.push({ key: 'k', requestId: 'v' });
      evidence.calls.push(call('v', 1));
      evidence.allowances.deaths = deaths;
      evidence.allowances.lostRecords = lostRecords;
    });
  expect(forge(1)).toEqual([]);
  expect(forge(0, true)).toEqual([]);
  expect(forge(0)).toEqual(['call v/1: in 0 cost events']);
});

describe('outcomes (G1, G6, G9)', () => {
  const cases: [string, (evidence: Forged) => void, string][] = [
    ['a lost response', (e) => e.responses.splice(0, 1), 'a: 0 responses to 1 records: lost'],
    [
      'a doubled response',
      (e) => e.responses.push(at(response('a'))),
      'a: 2 responses to 1 records: doubled',
    ],
    [
      'a duplicate that was handled again',
      (e) => {
        e.responses[3] = at(response('c'));
      },
      'c: 2 originals',
    ],
    [
      'a replay that says something else',
      (e) => {
        e.responses[3] = at(response('c', { replayed: true, choices: [] }));
      },
      'c: the replay says something else than the original',
    ],
    [
      'a replay without an original',
      (e) => {
        e.responses[2] = at(response('c', { replayed: true }));
      },
      'c: a replay without an original',
    ],
    [
      'an answer to nothing',
      (e) => e.responses.push(at(response('x', { costEventId: null }))),
      'x: answered but never published',
    ],
    ['a missing ResponseGenerated', (e) => e.generated.pop(), 'c: 0 ResponseGenerated for 1 responses'],
    [
      'a doubled ResponseGenerated',
      (e) => e.generated.push(at({ requestId: 'a' } as ResponseGenerated)),
      'a: 2 ResponseGenerated for 1 responses',
    ],
    [
      'a request that fails without a reason',
      (e) => {
        e.responses[0] = at(
          response('a', {
            status: 'FAILED',
            error: { code: 'provider_error', message: 'broken', retryable: true, param: null },
          }),
        );
      },
      'a: FAILED (provider_error broken) instead of COMPLETED',
    ],
    [
      'an internal failure',
      (e) => {
        e.responses[0] = at(
          response('a', {
            status: 'FAILED',
            error: { code: 'internal', message: 'a bug', retryable: true, param: null },
          }),
        );
      },
      'a: internal failure: a bug',
    ],
    [
      'poison although nobody died',
      (e) => {
        e.responses[0] = at(
          response('a', {
            status: 'FAILED',
            error: { code: 'poison', message: 'dead', retryable: false, param: null },
          }),
        );
      },
      'a: poison although only 0 workers died',
    ],
    [
      'a refusal of a repetition that was unchanged',
      (e) => {
        e.responses[3] = at(
          response('c', {
            status: 'FAILED',
            attempts: 0,
            costEventId: null,
            error: { code: 'invalid_request', message: 'used', retryable: false, param: 'requestId' },
          }),
        );
      },
      'c: refused as used for another request, which it was not',
    ],
  ];
  test.each(cases)('%s', (_name, forge, breach) => {
    expect(check(forge)).toContain(breach);
  });
});

test('order (G3): a response before that of an earlier request of its key', () => {
  expect(check(({ responses }) => responses.reverse())).toContain('b: out of order under key k');
});

test('order (G3): a key with records on two partitions has moved and is exempt', () => {
  expect(
    check((evidence) => {
      evidence.responses.reverse();
      const [first] = evidence.requests;
      if (first !== undefined) evidence.requests[0] = { ...first, partition: 1 };
    }),
  ).toEqual([]);
});

describe('dead letters (G1, G9)', () => {
  const cases: [string, (evidence: Forged) => void, string][] = [
    ['a missing one', (e) => e.dead.pop(), 'record 0/4: 0 dead letters'],
    ['a doubled one', (e) => e.dead.push(...e.dead), 'record 0/4: 2 dead letters'],
    [
      'other bytes',
      (e) => Object.assign(e.dead[0] ?? {}, { value: Buffer.from('x') }),
      'record 0/4: its dead letter has other bytes',
    ],
    [
      'another key',
      (e) => Object.assign(e.dead[0] ?? {}, { key: null }),
      'record 0/4: its dead letter has another key',
    ],
    ['lost headers', (e) => delete e.dead[0]?.headers['x-team'], 'record 0/4: its dead letter lost headers'],
    ['no reason', (e) => delete e.dead[0]?.headers['dead-code'], 'record 0/4: its dead letter has no reason'],
    [
      'one for a good record',
      (e) => Object.assign(e.dead[0]?.headers ?? {}, { 'dead-offset': '0' }),
      'a: a dead letter for a record that can be read',
    ],
    [
      'one for a record that does not exist',
      (e) => Object.assign(e.dead[0]?.headers ?? {}, { 'dead-offset': '77' }),
      'dead letter of 0/77: no such record',
    ],
    [
      'none for poison',
      (e) => {
        e.allowances.deaths = 3;
        e.responses[0] = at(
          response('a', {
            status: 'FAILED',
            error: { code: 'poison', message: 'dead', retryable: false, param: null },
          }),
        );
      },
      'a: poison without its dead letter',
    ],
  ];
  test.each(cases)('%s', (_name, forge, breach) => {
    expect(check(forge)).toContain(breach);
  });
});

test('positions: an offset before the end of the log when everything is answered', () => {
  expect(
    check(({ positions }) => {
      positions.push({ partition: 1, committed: 2, logStart: 0, logEnd: 3 });
      positions.push({ partition: 2, committed: null, logStart: 0, logEnd: 1 });
      positions.push({ partition: 3, committed: null, logStart: 4, logEnd: 4 });
    }),
  ).toEqual([
    'partition 1: 2 is committed, the log ends at 3',
    'partition 2: nothing is committed, the log ends at 1',
  ]);
});
