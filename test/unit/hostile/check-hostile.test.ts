import { expect, it } from 'vitest';
import { checkHostile } from '../../hostile/checks/check-hostile.ts';
import type { HostileBill, HostileResponse } from '../../hostile/run/outputs.ts';
import { type Publication, placeOf } from '../../hostile/run/publication.ts';
import type { Call } from '../../support/stand-in/call-log.ts';

const record = (key: string, offset: number): Publication => ({
  key,
  kind: 'tombstone',
  topic: 'requests',
  partition: 1,
  offset,
});

const response = (key: string, members: Partial<HostileResponse> = {}): HostileResponse => ({
  key,
  tenantId: 'hostile',
  requestId: key,
  status: 'COMPLETED',
  code: null,
  replayed: false,
  costEventId: `bill of ${key}`,
  ...members,
});

const bill = (key: string, members: Partial<HostileBill> = {}): HostileBill => ({
  key,
  tenantId: 'hostile',
  eventId: `bill of ${key}`,
  calls: [`${key}/1`],
  ...members,
});

const call = (id: string, members: Partial<Call> = {}): Call => ({
  clientRequestId: `${id}/1`,
  requestId: id,
  attempt: 1,
  completionId: 'chatcmpl-1',
  model: 'gpt-4',
  stream: true,
  parameters: [],
  startedAt: 0,
  endedAt: 1,
  status: 200,
  outcome: 'completed',
  promptTokens: 1,
  completionTokens: 1,
  contentHash: null,
  ...members,
});

const nothing = { dead: [], hostileResponses: [], hostileBills: [] };

it('finds nothing when each record has a response or a dead letter, and each call a bill', () => {
  const published = [record('a', 1), record('b', 2), record('b', 3)];
  const outputs = {
    dead: [placeOf(record('b', 2))],
    hostileResponses: [response('a'), response('b', { status: 'FAILED', costEventId: null })],
    hostileBills: [bill('a')],
  };
  const found = checkHostile(published, outputs, [
    call('a'),
    call('b', { status: 400, outcome: 'error', completionTokens: 0 }),
  ]);
  expect(found).toEqual({ outcomes: [], bills: [], others: [] });
});

it('finds a record without an outcome, and one with two', () => {
  const outputs = { ...nothing, dead: [placeOf(record('b', 2))], hostileResponses: [response('b')] };
  const { outcomes } = checkHostile([record('a', 1), record('b', 2)], outputs, []);
  expect(outcomes).toEqual([
    'tombstone: 1 records under a, 0 responses and 0 dead letters',
    'tombstone: 1 records under b, 1 responses and 1 dead letters',
  ]);
});

it('finds a response to a record that was never published', () => {
  const { outcomes } = checkHostile([], { ...nothing, hostileResponses: [response('a')] }, []);
  expect(outcomes).toEqual(['a response under a, which nobody published']);
});

it('finds a paid call on no bill, one on two, and one made twice', () => {
  const outputs = { ...nothing, hostileBills: [bill('b'), bill('b', { eventId: 'another' })] };
  const { bills } = checkHostile([], outputs, [
    call('a'),
    call('b'),
    call('c', { status: 500, outcome: 'error', completionTokens: 0 }),
    call('c', { status: 500, outcome: 'error', completionTokens: 0 }),
  ]);
  expect(bills).toEqual(['call a/1: on 0 bills', 'call b/1: on 2 bills', 'call c/1: made 2 times']);
});

it("finds a call charged to another tenant, and another tenant's answer", () => {
  const outputs = {
    ...nothing,
    hostileBills: [bill('a', { tenantId: 'tenant-9' })],
    hostileResponses: [
      response('a', { tenantId: 'tenant-9', replayed: true }),
      response('b', { tenantId: 'tenant-9', status: 'FAILED' }),
    ],
  };
  const { others } = checkHostile([record('a', 1), record('b', 2)], outputs, []);
  expect(others).toEqual(['a: billed to tenant-9', 'a: a replay of tenant-9']);
});

it('leaves the calls of the nine to their own check', () => {
  expect(checkHostile([], nothing, [call('nine:1-1')]).bills).toEqual([]);
});
