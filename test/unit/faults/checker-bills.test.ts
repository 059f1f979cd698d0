import { describe, expect, test } from 'vitest';
import type { ChatChunk } from '../../../src/contract/record-types.ts';
import { at, bill, call, check, cost, type Forged, values } from './forged-evidence.ts';

test('a refusal that the worker no longer waited for may have been billed', () => {
  const forge = (endedAt: number) =>
    check(({ calls: [first] }) => {
      if (first !== undefined) Object.assign(first, { status: 429, outcome: 'error', endedAt });
    });
  const breach = 'call a/1: billed although it was refused with 429';
  expect(forge(2_999)).toContain(breach);
  expect(forge(3_000)).not.toContain(breach);
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
