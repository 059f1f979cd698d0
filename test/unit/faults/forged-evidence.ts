import { createHash } from 'node:crypto';
import type {
  ChatChunk,
  ChatResponse,
  CostCalculated,
  ResponseGenerated,
} from '../../../src/contract/record-types.ts';
import { checkEvidence } from '../../faults/checks/check-evidence.ts';
import type { DeadLetter, Evidence, RequestRecord, Visible } from '../../faults/checks/evidence.ts';
import type { Call } from '../../support/stand-in/call-log.ts';

/** Only the fields that the checker reads. */
type Some<T> = { -readonly [K in keyof T]?: Some<T[K]> };

export interface Forged {
  requests: RequestRecord[];
  vanished: { key: string; requestId: string | null }[];
  expected: Map<string, 'COMPLETED' | 'FAILED'>;
  responses: Visible<ChatResponse>[];
  generated: Visible<ResponseGenerated>[];
  costs: Visible<CostCalculated>[];
  chunks: Visible<ChatChunk>[];
  dead: DeadLetter[];
  calls: Call[];
  patienceMs: number;
  positions: { partition: number; committed: number | null; logStart: number; logEnd: number }[];
  allowances: { -readonly [K in keyof Evidence['allowances']]: boolean | number };
}

const TEXT = 'one two';
const usage = { inputTokens: 10, outputTokens: 2, confidence: 'PROVIDER' };
const choices = [{ index: 0, content: TEXT, toolCalls: [{ arguments: '{"city":"Ulm"}' }] }];

/**
 * Three requests of one conversation, the second retried once, the third repeated by its publisher, and a record that is no
 * request: a correct history.
 */
export function good(): Forged {
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
    patienceMs: 3_000,
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

export function at<T>(value: T): Visible<T> {
  return { value, source: { partition: 0, key: Buffer.from('k') } };
}

export function response(requestId: string, fields: Some<ChatResponse> = {}): ChatResponse {
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

export function bill(attempt: number): CostCalculated['calls'][number] {
  return {
    attempt,
    disposition: 'ACCEPTED',
    usage,
    amount: '0.00036',
    startedAt: 0,
  } as CostCalculated['calls'][number];
}

export function cost(requestId: string, calls: CostCalculated['calls']): CostCalculated {
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

export function chunksOf(requestId: string, attempt: number): Visible<ChatChunk>[] {
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

export function call(requestId: string, attempt: number, fields: Partial<Call> = {}): Call {
  return {
    clientRequestId: `${requestId}/${attempt}`,
    requestId,
    attempt,
    status: 200,
    outcome: 'completed',
    endedAt: 2_999,
    promptTokens: 10,
    completionTokens: 2,
    contentHash: createHash('sha256').update(TEXT).digest('hex'),
    ...fields,
  } as Call;
}

/** The values of a topic, to change in place. */
export const values = <T>(records: Visible<T>[]): T[] => records.map(({ value }) => value);

export function check(forge: (evidence: Forged) => void): string[] {
  const evidence = good();
  forge(evidence);
  return checkEvidence(evidence as unknown as Evidence);
}
