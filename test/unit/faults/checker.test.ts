import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type {
  ChatChunk,
  ChatResponse,
  CostCalculated,
  ResponseGenerated,
} from '../../../src/contract/records.ts';
import { checkEvidence } from '../../faults/checks/check-evidence.ts';
import type { DeadLetter, Evidence, RequestRecord, Visible } from '../../faults/checks/evidence.ts';
import type { Call } from '../../support/stand-in/call-log.ts';

/** Only the fields that the checker reads. */
type Some<T> = { -readonly [K in keyof T]?: Some<T[K]> };

interface Forged {
  requests: RequestRecord[];
  vanished: { key: string; requestId: string | null }[];
  expected: Map<string, 'COMPLETED' | 'FAILED'>;
  responses: Visible<ChatResponse>[];
  generated: Visible<ResponseGenerated>[];
  costs: Visible<CostCalculated>[];
  chunks: Visible<ChatChunk>[];
  dead: DeadLetter[];
  calls: Call[];
  positions: { partition: number; committed: number | null; logStart: number; logEnd: number }[];
  allowances: { -readonly [K in keyof Evidence['allowances']]: boolean | number };
}

const TEXT = 'one two';
const usage = { inputTokens: 10, outputTokens: 2, confidence: 'PROVIDER' };
const choices = [{ index: 0, content: TEXT, toolCalls: [{ arguments: '{"city":"Ulm"}' }] }];

/**
 * Three requests of one conversation, the second retried once, the third repeated by its publisher, and a record that is no
 * request: all as it should be.
 */
function good(): Forged {
  return {
    requests: [
      record(0, 'a'),
      record(1, 'b'),
      record(2, 'c'),
      record(3, 'c'),
      { ...record(4, null), value: Buffer.from('rubbish'), headers: { 'x-team': 'search' } },
    ],
    vanished: [],
    expected: new Map([
      ['a', 'COMPLETED'],
      ['b', 'COMPLETED'],
      ['c', 'COMPLETED'],
    ]),
    responses: [
      at(response('a')),
      at(response('b', { acceptedAttempt: 2, cost: '0.00072', attempts: 2 })),
      at(response('c')),
      at(response('c', { replayed: true, chunkCount: 0 })),
    ],
    generated: ['a', 'b', 'c'].map((requestId) => at({ requestId } as ResponseGenerated)),
    costs: [
      at(cost('a', [bill(1)])),
      at(
        cost('b', [
          { ...bill(1), disposition: 'RETRIED', usage: { ...usage, confidence: 'PARTIAL' } as never },
          bill(2),
        ]),
      ),
      at(cost('c', [bill(1)])),
    ],
    chunks: [
      ...chunksOf('a', 1),
      at({ ...chunksOf('b', 1)[0]?.value, content: 'half' } as ChatChunk),
      ...chunksOf('b', 2),
      ...chunksOf('c', 1),
    ],
    dead: [
      {
        key: Buffer.from('k'),
        value: Buffer.from('rubbish'),
        headers: {
          'x-team': 'search',
          'dead-code': 'wrong_framing',
          'dead-partition': '0',
          'dead-offset': '4',
        },
      },
    ],
    calls: [
      call('a', 1),
      call('b', 1, { outcome: 'cut', completionTokens: 1, contentHash: null }),
      call('b', 2),
      call('c', 1),
    ],
    positions: [{ partition: 0, committed: 5, logStart: 0, logEnd: 5 }],
    allowances: {
      deaths: 0,
      lostCalls: false,
      lostRecords: false,
      refusedAnswers: false,
      providerFails: false,
    },
  };
}

function record(offset: number, requestId: string | null): RequestRecord {
  return { partition: 0, offset, key: 'k', requestId, value: Buffer.from(requestId ?? ''), headers: {} };
}

function at<T>(value: T): Visible<T> {
  return { value, source: { partition: 0, key: Buffer.from('k') } };
}

function response(requestId: string, fields: Some<ChatResponse> = {}): ChatResponse {
  return {
    requestId,
    status: 'COMPLETED',
    error: null,
    replayed: false,
    choices: structuredClone(choices),
    acceptedAttempt: 1,
    attempts: 1,
    chunkCount: 3,
    omitted: [],
    cost: '0.00036',
    costEventId: `cost-${requestId}`,
    ...fields,
  } as ChatResponse;
}

function bill(attempt: number): CostCalculated['calls'][number] {
  return { attempt, disposition: 'ACCEPTED', usage, amount: '0.00036' } as CostCalculated['calls'][number];
}

function cost(requestId: string, calls: CostCalculated['calls']): CostCalculated {
  const lines = calls.flatMap(({ attempt }) => [
    { attempt, direction: 'input', quantity: 10, unitPrice: '30', unitSize: 1_000_000, amount: '0.0003' },
    { attempt, direction: 'output', quantity: 2, unitPrice: '30', unitSize: 1_000_000, amount: '0.00006' },
  ]);
  return {
    eventId: `cost-${requestId}`,
    requestId,
    calls,
    lines: lines.map((line, index) => ({ ...line, lineNumber: index + 1 })),
    inputCost: calls.length === 2 ? '0.0006' : '0.0003',
    outputCost: calls.length === 2 ? '0.00012' : '0.00006',
    otherCost: '0',
    totalCost: calls.length === 2 ? '0.00072' : '0.00036',
    acceptedCost: '0.00036',
  } as CostCalculated;
}

function chunksOf(requestId: string, attempt: number): Visible<ChatChunk>[] {
  const pieces = [
    { content: 'one', toolCalls: [] },
    { content: ' two', toolCalls: [{ index: 0, arguments: '{"city":' }] },
    { content: '', toolCalls: [{ index: 0, arguments: '"Ulm"}' }] },
  ];
  return pieces.map((piece, sequence) =>
    at({
      requestId,
      attempt,
      sequence,
      choiceIndex: 0,
      last: sequence === 2,
      ...piece,
    } as unknown as ChatChunk),
  );
}

function call(requestId: string, attempt: number, fields: Partial<Call> = {}): Call {
  return {
    clientRequestId: `${requestId}/${attempt}`,
    requestId,
    attempt,
    status: 200,
    outcome: 'completed',
    promptTokens: 10,
    completionTokens: 2,
    contentHash: createHash('sha256').update(TEXT).digest('hex'),
    ...fields,
  } as Call;
}

/** The values of a topic, to be changed in place. */
const values = <T>(records: Visible<T>[]): T[] => records.map(({ value }) => value);

function check(forge: (evidence: Forged) => void): string[] {
  const evidence = good();
  forge(evidence);
  return checkEvidence(evidence as unknown as Evidence);
}

test('a history in which every guarantee holds has no breaches', () => {
  expect(check(() => undefined)).toEqual([]);
});

test('chunks that were sent twice, and a zombie’s of a lower attempt, are no breach', () => {
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
  const forge = (answers: number) =>
    check((evidence) => {
      evidence.vanished.push({ key: 'k', requestId: 'v' });
      for (let count = 0; count < answers; count += 1) {
        evidence.responses.push(at(response('v', { status: 'FAILED', error: refusal, costEventId: null })));
        evidence.generated.push(at({ requestId: 'v' } as ResponseGenerated));
      }
    });
  const refusal = { code: 'provider_unavailable', retryable: true, param: null } as const;
  expect(forge(0)).toEqual([]);
  expect(forge(1)).toEqual([]);
  expect(forge(2)).toEqual(['v: 2 responses to 1 records: doubled']);
});

test('a call whose record vanished cannot be billed where its worker died or all records are lost, else it must be', () => {
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
      'a repetition that was handled afresh',
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

test('order (G3): a key whose records lie on two partitions has moved and is exempt', () => {
  expect(
    check((evidence) => {
      evidence.responses.reverse();
      const [first] = evidence.requests;
      if (first !== undefined) evidence.requests[0] = { ...first, partition: 1 };
    }),
  ).toEqual([]);
});

describe('bills (G2, G4)', () => {
  const cases: [string, (evidence: Forged) => void, string][] = [
    ['a doubled cost event', (e) => e.costs.push(at(cost('a', [bill(1)]))), 'a: 2 cost events'],
    ['a missing cost event', (e) => e.costs.splice(0, 1), 'a: its cost event is missing'],
    ['a call that is in no bill', (e) => e.calls.push(call('a', 2)), 'call a/2: in 0 cost events'],
    [
      'a call that is billed twice in one event',
      (e) => values(e.costs)[1]?.calls.push(bill(2)),
      'call b/2: in 2 cost events',
    ],
    ['a bill without a call', (e) => e.calls.splice(0, 1), 'call a/1: billed as ACCEPTED but never made'],
    ['a call made twice', (e) => e.calls.push(call('a', 1)), 'call a/1 was made 2 times'],
    [
      'an answer that was paid twice',
      (e) => {
        e.calls.push(call('a', 2));
      },
      'a was answered and paid 2 times',
    ],
    [
      'two accepted calls',
      (e) => {
        const first = values(e.costs)[1]?.calls[0];
        if (first !== undefined) first.disposition = 'ACCEPTED';
      },
      'b: 2 calls are billed as accepted',
    ],
    [
      'a bill for a refused call',
      (e) => {
        const first = e.calls[0];
        if (first !== undefined) Object.assign(first, { status: 429, outcome: 'error' });
      },
      'call a/1: billed although it was refused with 429',
    ],
    [
      'a wrong number of tokens',
      (e) => {
        const first = e.calls[0];
        if (first !== undefined) first.completionTokens = 3;
      },
      'call a/1: billed 10+2 tokens, but it used 10+3',
    ],
    [
      'a bill that no response names',
      (e) => {
        const first = values(e.responses)[0];
        if (first !== undefined) first.costEventId = null;
      },
      'a: a cost event that no response names',
    ],
    [
      'a response that says another price than the bill',
      (e) => {
        const first = values(e.responses)[0];
        if (first !== undefined) first.cost = '0.1';
      },
      'a: the response says 0.1, the bill 0.00036',
    ],
    [
      'a line that is not quantity times price',
      (e) => {
        const line = values(e.costs)[0]?.lines[0];
        if (line !== undefined) line.quantity = 11;
      },
      'a: line 1 is not quantity x price',
    ],
    [
      'a wrong total',
      (e) => {
        const first = values(e.costs)[0];
        if (first !== undefined) first.totalCost = '0.00037';
      },
      'a: the total is 0.00037, its lines add up to 0.00036',
    ],
    [
      'a wrong direction',
      (e) => {
        const first = values(e.costs)[0];
        if (first !== undefined) first.outputCost = '0';
      },
      'a: the output is 0, its lines add up to 0.00006',
    ],
    [
      'an accepted cost that is not the accepted call’s',
      (e) => {
        const first = values(e.costs)[0];
        if (first !== undefined) first.acceptedCost = '0';
      },
      'a: acceptedCost is 0, the accepted call 0.00036',
    ],
  ];
  test.each(cases)('%s', (_name, forge, breach) => {
    expect(check(forge)).toContain(breach);
  });
});

describe('chunks (G5)', () => {
  const cases: [string, (evidence: Forged) => void, string][] = [
    ['a gap', (e) => e.chunks.splice(1, 1), 'a: chunks 0 2 of 3: there is a gap or one too many'],
    [
      'one too many',
      (e) => e.chunks.push(at({ ...values(e.chunks)[0], sequence: 3, last: false } as ChatChunk)),
      'a: chunks 0 1 2 3 of 3: there is a gap or one too many',
    ],
    [
      'other text than the response’s',
      (e) => {
        const chunk = values(e.chunks)[0];
        if (chunk !== undefined) chunk.content = 'ONE';
      },
      "a: the chunks' text is not the response's (choice 0)",
    ],
    [
      'other text than the provider wrote, in chunks and response',
      (e) => {
        const chunk = values(e.chunks)[0];
        const choice = values(e.responses)[0]?.choices[0];
        if (chunk !== undefined) chunk.content = 'ONE';
        if (choice !== undefined) choice.content = 'ONE two';
      },
      "a: the chunks' text is not what the provider wrote",
    ],
    [
      'other tool calls',
      (e) => {
        const chunk = values(e.chunks)[2];
        if (chunk !== undefined) chunk.toolCalls = [];
      },
      "a: the chunks' tool calls are not the response's (choice 0)",
    ],
    [
      'no last one',
      (e) => {
        const chunk = values(e.chunks)[2];
        if (chunk !== undefined) chunk.last = false;
      },
      "a: 'last' is not on the last chunk alone",
    ],
    [
      'a last one too early',
      (e) => {
        const chunk = values(e.chunks)[1];
        if (chunk !== undefined) chunk.last = true;
      },
      "a: 'last' is not on the last chunk alone",
    ],
    [
      'a zombie’s under a higher attempt',
      (e) => e.chunks.push(at({ ...values(e.chunks)[0], attempt: 2 } as ChatChunk)),
      'a: the highest attempt with chunks is 2, the accepted one is 1',
    ],
    [
      'a sequence number used for two texts',
      (e) => e.chunks.push(at({ ...values(e.chunks)[0], content: 'ONE' } as ChatChunk)),
      'a: chunk 1/0 is there twice with different content',
    ],
    ['out of order', (e) => e.chunks.reverse(), 'a: chunk 1/0 comes after a later one'],
  ];
  test.each(cases)('%s', (_name, forge, breach) => {
    expect(check(forge)).toContain(breach);
  });
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

test('positions: an offset that is behind the end of the log when everything is answered', () => {
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
