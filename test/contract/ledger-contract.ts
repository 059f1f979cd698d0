import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RecordSource } from '../../src/ports/kafka.ts';
import type {
  AttemptDraft,
  AttemptRow,
  ClaimRequest,
  RequestLedger,
  StoredOutcome,
} from '../../src/ports/ledger.ts';

/** Late enough that no row expires during a test. */
export const NOW = Date.UTC(2126, 0, 15, 12);

export const draft: AttemptDraft = {
  provider: 'openai',
  account: 'main',
  model: 'gpt-4o',
  startedAt: NOW,
  estimatedInputTokens: 12,
};

export const running = (attempt: number): AttemptRow => ({
  ...draft,
  attempt,
  disposition: 'RUNNING',
  serviceTier: null,
  providerRequestId: null,
  providerResponseId: null,
  usage: null,
  outputBytes: 0,
});

export const finished = (attempt: number, disposition: AttemptRow['disposition']): AttemptRow => ({
  ...running(attempt),
  disposition,
  model: 'gpt-4o-2024-08-06',
  serviceTier: 'default',
  providerRequestId: 'req_1',
  providerResponseId: 'chatcmpl-1',
  usage: {
    inputTokens: 100,
    outputTokens: 50,
    totalTokens: 5_000_000_000,
    cachedInputTokens: null,
    cacheWriteTokens: null,
    inputTextTokens: null,
    inputImageTokens: null,
    inputAudioTokens: null,
    reasoningTokens: 0,
    outputTextTokens: null,
    outputAudioTokens: null,
    acceptedPredictionTokens: null,
    rejectedPredictionTokens: null,
    confidence: 'PROVIDER',
    rawJson: '{"$prompt.tokens":100}',
  },
});

export const record = (offset: number): RecordSource => ({
  topic: 'chat.requests',
  partition: 0,
  offset,
  timestamp: NOW,
});

export const outcome: StoredOutcome = {
  response: Buffer.from([1, 2, 3]),
  responseGenerated: Buffer.from([4]),
  cost: Buffer.from([5, 6]),
  remembered: true,
};

export const forgettable: StoredOutcome = { ...outcome, cost: null, remembered: false };

/** A claim on a request that no other test uses. */
export function claimRequest(overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    identity: { tenantId: 'acme', requestId: randomUUID() },
    bodyHash: Buffer.from('the same body'),
    source: record(1),
    token: randomUUID(),
    owner: 'worker-a',
    draft,
    takeFrom: null,
    inQuarantine: false,
    now: NOW,
    ...overrides,
  };
}

/** The same request again, with a new token. */
export const again = (first: ClaimRequest, overrides: Partial<ClaimRequest> = {}): ClaimRequest => ({
  ...first,
  token: randomUUID(),
  ...overrides,
});

/** A claim whose owner was detected as dead, without having announced its end. */
export const crashed = ({ token }: ClaimRequest) => ({ token, crashed: true });

/** A claim whose owner stopped deliberately, or that is no longer waited for. */
export const stopped = ({ token }: ClaimRequest) => ({ token, crashed: false });

/** The guarantees of every ledger. */
export function describeLedger(name: string, ledgerOf: () => RequestLedger): void {
  describe(name, () => {
    const complete = (request: ClaimRequest, stored: StoredOutcome, attempts: readonly AttemptRow[]) =>
      ledgerOf().complete(request.identity, request.token, stored, attempts);

    describe('a claim', () => {
      it('on a new request is granted, with attempt 1', async () => {
        expect(await ledgerOf().claim(claimRequest())).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          quarantined: false,
        });
      });

      it('blocks another worker, and another record of the same worker', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);

        const held = { kind: 'held', owner: 'worker-a', heldToken: first.token, replay: false };
        expect(await ledgerOf().claim(again(first, { owner: 'worker-b' }))).toEqual(held);
        expect(await ledgerOf().claim(again(first, { source: record(9) }))).toEqual({
          ...held,
          replay: true,
        });
        expect(await ledgerOf().claim(again(first))).toEqual(held);
      });

      it('that is repeated with its own token is the same claim, even if the first answer was lost', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        expect(await ledgerOf().claim(first)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          quarantined: false,
        });

        await ledgerOf().release(first.identity, first.token, [finished(1, 'ABORTED')]);
        const second = again(first);
        const answer = { kind: 'claimed', attempt: 2, earlier: [finished(1, 'ABORTED')], quarantined: false };
        expect(await ledgerOf().claim(second)).toEqual(answer);
        expect(await ledgerOf().claim(second)).toEqual(answer);
      });

      it('with another body under the same id is a conflict, running, released or done', async () => {
        const first = claimRequest();
        const other = { bodyHash: Buffer.from('another body'), source: record(9), takeFrom: crashed(first) };
        await ledgerOf().claim(first);
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });

        await ledgerOf().release(first.identity, first.token, []);
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });

        const second = again(first);
        await ledgerOf().claim(second);
        await complete(second, outcome, []);
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });
      });

      it('of the same record is no conflict, even if its hash is now computed differently', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await ledgerOf().release(first.identity, first.token, [finished(1, 'ABORTED')]);

        const rehashed = again(first, { bodyHash: Buffer.from('newer hash') });
        expect(await ledgerOf().claim(rehashed)).toMatchObject({ kind: 'claimed', attempt: 2 });
      });

      it('keeps requests of different tenants separate', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const other = again(first, { identity: { ...first.identity, tenantId: 'globex' } });
        expect(await ledgerOf().claim(other)).toMatchObject({ kind: 'claimed', attempt: 1 });
      });

      it('without a call to make writes no attempt', async () => {
        const first = claimRequest({ draft: null });
        expect(await ledgerOf().claim(first)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          quarantined: false,
        });
        expect(await ledgerOf().claim(first)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          quarantined: false,
        });

        await ledgerOf().release(first.identity, first.token, []);
        expect(await ledgerOf().claim(again(first))).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          quarantined: false,
        });
      });

      it('keeps text of publishers and providers unchanged, including dollar signs', async () => {
        const odd = { ...draft, model: '$model', account: '$$ROOT', provider: '$provider' };
        const first = claimRequest({ identity: { tenantId: '$t', requestId: `$${randomUUID()}` } });
        await ledgerOf().claim(first);
        await ledgerOf().release(first.identity, first.token, []);
        const second = again(first, { draft: odd, owner: '$owner', token: `$${randomUUID()}` });
        await ledgerOf().claim(second);

        const third = await ledgerOf().claim(again(first, { takeFrom: stopped(second) }));
        expect(third).toMatchObject({
          earlier: [{ attempt: 1 }, { ...odd, attempt: 2, disposition: 'ORPHANED' }],
        });
      });
    });

    describe('a takeover', () => {
      it('takes exactly the claim that the caller names', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);

        const wrong = again(first, { owner: 'worker-b', takeFrom: stopped(again(first)) });
        const held = { kind: 'held', owner: 'worker-a', heldToken: first.token, replay: false };
        expect(await ledgerOf().claim(wrong)).toEqual(held);

        const right = again(first, { owner: 'worker-b', takeFrom: stopped(first) });
        const orphan = { ...running(1), disposition: 'ORPHANED' };
        const answer = { kind: 'claimed', attempt: 2, earlier: [orphan], quarantined: false };
        expect(await ledgerOf().claim(right)).toEqual(answer);
        expect(await ledgerOf().claim(right)).toEqual(answer);
      });

      it('makes orphans of running calls only', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await ledgerOf().beginAttempt(first.identity, first.token, running(2), [finished(1, 'RETRIED')]);

        const claim = await ledgerOf().claim(again(first, { owner: 'worker-b', takeFrom: stopped(first) }));
        const orphan = { ...running(2), disposition: 'ORPHANED' };
        expect(claim).toEqual({
          kind: 'claimed',
          attempt: 3,
          earlier: [finished(1, 'RETRIED'), orphan],
          quarantined: false,
        });
      });

      it('by another record makes that one the original', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const taker = again(first, { owner: 'worker-b', takeFrom: stopped(first), source: record(9) });
        await ledgerOf().claim(taker);
        await complete(taker, outcome, []);

        expect(await ledgerOf().claim(again(taker))).toMatchObject({ kind: 'done', replay: false });
        expect(await ledgerOf().claim(again(first))).toMatchObject({ kind: 'done', replay: true });
      });

      it('invalidates the former owner’s writes', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const taker = again(first, { owner: 'worker-b', takeFrom: stopped(first) });
        await ledgerOf().claim(taker);

        expect(await ledgerOf().beginAttempt(first.identity, first.token, running(2), [])).toBe(false);
        expect(await complete(first, outcome, [finished(1, 'ACCEPTED')])).toBe(false);
        await ledgerOf().release(first.identity, first.token, [finished(1, 'ABORTED')]);

        expect(await ledgerOf().claim(again(first))).toMatchObject({ kind: 'held', owner: 'worker-b' });
        expect(await complete(taker, outcome, [])).toBe(true);
      });

      it('changes nothing of a completed request, or of another one', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const other = { bodyHash: Buffer.from('another body'), source: record(9), takeFrom: crashed(first) };
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });
        expect(await complete(first, outcome, [])).toBe(true);
        const late = again(first, { takeFrom: crashed(first), inQuarantine: true });
        expect(await ledgerOf().claim(late)).toMatchObject({ kind: 'done', outcome });
      });
    });

    describe('reading a claim', () => {
      it('returns its token, and null once it was released or the request is done', async () => {
        const first = claimRequest();
        const look = () => ledgerOf().claimToken(first.identity);
        expect(await look()).toBeNull();
        await ledgerOf().claim(first);
        expect(await look()).toBe(first.token);
        await ledgerOf().release(first.identity, first.token, []);
        expect(await look()).toBeNull();
        const second = again(first);
        await ledgerOf().claim(second);
        expect(await look()).toBe(second.token);
        await complete(second, outcome, []);
        expect(await look()).toBeNull();
      });
    });

    describe('a suspect', () => {
      const suspect = { kind: 'suspect' };
      const orphans = (count: number) =>
        Array.from({ length: count }, (_, index) => ({ ...running(index + 1), disposition: 'ORPHANED' }));
      const fromQuarantine = (known: ClaimRequest, overrides: Partial<ClaimRequest> = {}) =>
        again(known, { inQuarantine: true, takeFrom: null, ...overrides });
      /** A request whose first worker crashed, claimed by the second one. */
      async function takenOver(): Promise<ClaimRequest> {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const second = again(first, { owner: 'worker-b', takeFrom: crashed(first) });
        const answer = { kind: 'claimed', attempt: 2, earlier: orphans(1), quarantined: false };
        expect(await ledgerOf().claim(second)).toEqual(answer);
        return second;
      }
      /** A request whose first two workers crashed. */
      async function suspected(): Promise<ClaimRequest> {
        const second = await takenOver();
        const taker = again(second, { owner: 'worker-c', takeFrom: crashed(second) });
        expect(await ledgerOf().claim(taker)).toEqual(suspect);
        return again(second, { takeFrom: null });
      }
      /** Lets its workers crash in quarantine so often. */
      async function crashing(first: ClaimRequest, times: number): Promise<ClaimRequest> {
        let held = fromQuarantine(first);
        await ledgerOf().claim(held);
        for (let crash = 1; crash < times; crash += 1) {
          const next = fromQuarantine(held, { takeFrom: crashed(held) });
          expect(await ledgerOf().claim(next)).toMatchObject({ kind: 'claimed', quarantined: true });
          held = next;
        }
        return held;
      }

      it('can be claimed only from quarantine, and is held there', async () => {
        const first = await suspected();
        expect(await ledgerOf().claim(again(first))).toEqual(suspect);
        expect(await ledgerOf().claim(again(first, { source: record(9) }))).toEqual(suspect);
        const taker = fromQuarantine(first, { owner: 'worker-b' });
        const answer = { kind: 'claimed', attempt: 3, earlier: orphans(2), quarantined: true };
        expect(await ledgerOf().claim(taker)).toEqual(answer);
        expect(await ledgerOf().claim(taker)).toEqual(answer);
        expect(await ledgerOf().claim(fromQuarantine(first))).toMatchObject({
          kind: 'held',
          owner: 'worker-b',
        });
      });

      it('is marked and claimed in one step from quarantine', async () => {
        const second = await takenOver();
        const taker = fromQuarantine(second, { takeFrom: crashed(second) });
        expect(await ledgerOf().claim(taker)).toMatchObject({
          kind: 'claimed',
          attempt: 3,
          quarantined: true,
        });
      });

      it('is only that request, and quarantine does not affect a request that is not a suspect', async () => {
        const fresh = claimRequest({ inQuarantine: true });
        expect(await ledgerOf().claim(fresh)).toMatchObject({ kind: 'claimed', quarantined: false });
        await ledgerOf().release(fresh.identity, fresh.token, []);
        expect(await ledgerOf().claim(fromQuarantine(fresh))).toMatchObject({
          kind: 'claimed',
          quarantined: false,
        });
        const first = await suspected();
        const other = { bodyHash: Buffer.from('another body'), source: record(9) };
        expect(await ledgerOf().claim(fromQuarantine(first, other))).toEqual({ kind: 'conflict' });
      });

      it('needs no quarantine when no call will be made', async () => {
        const first = await suspected();
        const refused = again(first, { draft: null });
        const answer = { kind: 'claimed', attempt: 3, earlier: orphans(2), quarantined: false };
        expect(await ledgerOf().claim(refused)).toEqual(answer);
        expect(await ledgerOf().claim(refused)).toEqual(answer);
      });

      it('remains a suspect when it is released, or its worker stops', async () => {
        const first = await suspected();
        const held = fromQuarantine(first);
        await ledgerOf().claim(held);
        await ledgerOf().release(held.identity, held.token, []);
        expect(await ledgerOf().claim(again(first))).toEqual(suspect);
        const next = fromQuarantine(first);
        await ledgerOf().claim(next);
        expect(await ledgerOf().claim(again(first, { takeFrom: stopped(next) }))).toEqual(suspect);
        expect(await ledgerOf().claim(fromQuarantine(first))).toMatchObject({ kind: 'claimed' });
      });

      it('is poison after three crashes in quarantine: the claim is granted, but no call', async () => {
        const held = await crashing(await suspected(), 3);
        const last = again(held, { owner: 'worker-d', takeFrom: crashed(held), inQuarantine: false });
        const poisoned = { kind: 'poisoned', crashes: 3, earlier: orphans(5) };
        expect(await ledgerOf().claim(last)).toEqual(poisoned);
        expect(await ledgerOf().claim(last)).toEqual(poisoned);

        await ledgerOf().release(last.identity, last.token, []);
        expect(await ledgerOf().claim(again(last))).toEqual(poisoned);
      });

      it('is not blamed for crashes outside quarantine, however many', async () => {
        let held = await takenOver();
        for (let crash = 0; crash < 5; crash += 1) {
          expect(
            await ledgerOf().claim(again(held, { takeFrom: crashed(held), inQuarantine: false })),
          ).toEqual(suspect);
          const next = fromQuarantine(held);
          expect(await ledgerOf().claim(next)).toMatchObject({ kind: 'claimed', quarantined: true });
          // It waits for a further call.
          expect(await ledgerOf().setQuarantined(next.identity, next.token, false)).toBe(true);
          held = next;
        }
        const last = fromQuarantine(held, { takeFrom: crashed(held) });
        expect(await ledgerOf().claim(last)).toMatchObject({ kind: 'claimed', attempt: 8 });
      });

      it('is blamed again once its further call begins', async () => {
        const held = await crashing(await suspected(), 3);
        await ledgerOf().setQuarantined(held.identity, held.token, false);
        await ledgerOf().setQuarantined(held.identity, held.token, true);
        expect(await ledgerOf().claim(again(held, { takeFrom: crashed(held) }))).toMatchObject({
          kind: 'poisoned',
        });
        expect(await ledgerOf().setQuarantined(held.identity, held.token, true)).toBe(false);
      });

      it('is not blamed for a worker that turns out to be alive: a late release removes the crash', async () => {
        const first = await suspected();
        const frozen = await crashing(first, 1);
        const held = fromQuarantine(frozen, { takeFrom: crashed(frozen) });
        await ledgerOf().claim(held);
        await ledgerOf().release(frozen.identity, frozen.token, [finished(2, 'ABORTED')]);
        // The new owner still has its claim and attempts.
        expect(await ledgerOf().claimToken(first.identity)).toBe(held.token);
        const second = fromQuarantine(held, { takeFrom: crashed(held) });
        expect(await ledgerOf().claim(second)).toMatchObject({ kind: 'claimed' });
        const third = fromQuarantine(second, { takeFrom: crashed(second) });
        expect(await ledgerOf().claim(third)).toMatchObject({ kind: 'claimed', quarantined: true });
        expect(await ledgerOf().claim(again(third, { takeFrom: crashed(third) }))).toMatchObject({
          kind: 'poisoned',
          crashes: 3,
        });
      });

      it('is cleared for any other record by a failure that is not remembered', async () => {
        const held = await crashing(await suspected(), 2);
        await complete(held, forgettable, []);
        expect(await ledgerOf().claim(again(held, { source: record(9), takeFrom: null }))).toMatchObject({
          kind: 'claimed',
          quarantined: false,
        });
      });
    });

    describe('progress', () => {
      const report = ({ identity, token }: ClaimRequest, attempt: number, outputBytes: number) =>
        ledgerOf().reportProgress([{ identity, token, attempt, outputBytes }]);
      const orphans = async (first: ClaimRequest) => {
        const claim = await ledgerOf().claim(again(first, { owner: 'worker-b', takeFrom: stopped(first) }));
        return claim.kind === 'claimed' ? claim.earlier : [];
      };

      it('is the known usage of an orphan: the last report for each call', async () => {
        const [first, other] = [claimRequest(), claimRequest()];
        await Promise.all([ledgerOf().claim(first), ledgerOf().claim(other)]);
        await report(first, 1, 100);
        await ledgerOf().reportProgress([
          { identity: first.identity, token: first.token, attempt: 1, outputBytes: 250 },
          { identity: other.identity, token: other.token, attempt: 1, outputBytes: 7 },
        ]);
        expect(await orphans(first)).toEqual([{ ...running(1), disposition: 'ORPHANED', outputBytes: 250 }]);
        expect(await orphans(other)).toEqual([{ ...running(1), disposition: 'ORPHANED', outputBytes: 7 }]);
      });

      it('of a retry is separate', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const retried = { ...finished(1, 'RETRIED'), outputBytes: 40 };
        await ledgerOf().beginAttempt(first.identity, first.token, running(2), [retried]);
        await report(first, 2, 90);
        expect(await orphans(first)).toEqual([
          retried,
          { ...running(2), disposition: 'ORPHANED', outputBytes: 90 },
        ]);
      });

      it('never decreases, however late a report comes', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const retried = { ...finished(1, 'RETRIED'), outputBytes: 40 };
        await ledgerOf().beginAttempt(first.identity, first.token, running(2), [retried]);
        await report(first, 1, 30);
        expect((await orphans(first))[0]).toEqual(retried);
      });

      it('of a lost claim is no longer written', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await report(first, 1, 100);
        const taker = again(first, { owner: 'worker-b', takeFrom: stopped(first) });
        await ledgerOf().claim(taker);
        await report(first, 1, 999);
        expect((await orphans(taker)).map(({ outputBytes }) => outputBytes)).toEqual([100, 0]);
      });

      it('of no call or of an unknown request changes nothing', async () => {
        const stranger = claimRequest();
        await ledgerOf().reportProgress([]);
        await report(stranger, 1, 100);
        expect(await ledgerOf().claim(stranger)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          quarantined: false,
        });
      });
    });

    describe('verified claims', () => {
      it('hold until another worker takes them over, even when that worker has finished', async () => {
        const [kept, lost, finished] = [claimRequest(), claimRequest(), claimRequest()];
        const claims = [kept, lost, finished].map(({ identity, token }) => ({ identity, token }));
        for (const claim of [kept, lost, finished]) await ledgerOf().claim(claim);
        expect(await ledgerOf().verifyClaims(claims)).toEqual({ taken: new Set(), isWanted: false });

        const taking = ({ token }: ClaimRequest, by: string) => ({
          owner: 'worker-2',
          token: by,
          takeFrom: { token, crashed: false },
        });
        const [mine, theirs] = [randomUUID(), randomUUID()];
        await ledgerOf().claim({ ...lost, ...taking(lost, mine) });
        await ledgerOf().claim({ ...finished, ...taking(finished, theirs) });
        await ledgerOf().complete(finished.identity, theirs, outcome, []);
        const verified = await ledgerOf().verifyClaims(claims);
        expect(verified).toEqual({ taken: new Set([lost.token, finished.token]), isWanted: false });
      });

      it('hold while they are released or completed by their holder', async () => {
        const [released, completed] = [claimRequest(), claimRequest()];
        for (const claim of [released, completed]) await ledgerOf().claim(claim);
        await ledgerOf().release(released.identity, released.token, []);
        await ledgerOf().complete(completed.identity, completed.token, outcome, []);
        expect((await ledgerOf().verifyClaims([released, completed])).taken).toEqual(new Set());
      });

      it('are wanted once their record was delivered to another worker', async () => {
        const request = claimRequest();
        await ledgerOf().claim(request);
        await ledgerOf().claim({ ...request, token: randomUUID() });
        await ledgerOf().claim({ ...request, token: randomUUID(), owner: 'worker-2', source: record(99) });
        expect((await ledgerOf().verifyClaims([request])).isWanted).toBe(false);
        const again = { ...request, token: randomUUID(), owner: 'worker-2' };
        expect(await ledgerOf().claim(again)).toMatchObject({ kind: 'held', owner: request.owner });
        expect(await ledgerOf().verifyClaims([request])).toEqual({ taken: new Set(), isWanted: true });
      });

      it('may be empty', async () => {
        expect(await ledgerOf().verifyClaims([])).toEqual({ taken: new Set(), isWanted: false });
      });
    });

    describe('an outcome', () => {
      it('is returned to its own record as the original, to others as a replay', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        expect(await complete(first, outcome, [finished(1, 'ACCEPTED')])).toBe(true);

        const done = { kind: 'done', outcome, settled: false };
        expect(await ledgerOf().claim(again(first))).toEqual({ ...done, replay: false });
        expect(await ledgerOf().claim(again(first, { source: record(9) }))).toEqual({
          ...done,
          replay: true,
        });
        const recreated = { ...first.source, timestamp: NOW + 1 };
        expect(await ledgerOf().claim(again(first, { source: recreated }))).toEqual({
          ...done,
          replay: true,
        });
      });

      it('may be stored again only with the same token', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await complete(first, outcome, []);

        expect(await complete(first, outcome, [])).toBe(true);
        expect(await complete(again(first), forgettable, [])).toBe(false);
        expect(await ledgerOf().claim(again(first))).toMatchObject({ kind: 'done', outcome });
      });

      it('cannot be stored for a request that was never claimed', async () => {
        expect(await complete(claimRequest(), outcome, [])).toBe(false);
      });

      it('that is not remembered is returned to its own record again, while another record runs from scratch', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await complete(first, forgettable, [finished(1, 'FAILED')]);
        expect(await ledgerOf().claim(again(first))).toEqual({
          kind: 'done',
          outcome: forgettable,
          replay: false,
          settled: false,
        });

        const second = again(first, { source: record(9), bodyHash: Buffer.from('corrected') });
        const answer = { kind: 'claimed', attempt: 2, earlier: [finished(1, 'FAILED')], quarantined: false };
        expect(await ledgerOf().claim(second)).toEqual(answer);
        expect(await ledgerOf().claim(second)).toEqual(answer);
        expect(await complete(second, outcome, [finished(2, 'ACCEPTED')])).toBe(true);
        expect(await ledgerOf().claim(again(second))).toMatchObject({ kind: 'done', outcome, replay: false });
      });

      it('that every broker refuses is not published again with its record', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await complete(first, outcome, []);
        await ledgerOf().markUnpublished(first.identity);
        expect(await ledgerOf().claim(again(first))).toMatchObject({ replay: false, settled: true });
      });

      it('is marked settled only for the records that it is visible for', async () => {
        const first = claimRequest();
        const replay = { ...first, source: record(9) };
        await ledgerOf().claim(first);
        await complete(first, outcome, []);

        await ledgerOf().markSettled([]);
        await ledgerOf().markSettled([replay]);
        expect(await ledgerOf().claim(again(first))).toMatchObject({ replay: false, settled: false });
        expect(await ledgerOf().claim(again(replay))).toMatchObject({ replay: true, settled: true });

        await ledgerOf().markSettled([first, replay]);
        expect(await ledgerOf().claim(again(first))).toMatchObject({ replay: false, settled: true });
        expect(await ledgerOf().claim(again(first, { source: record(10) }))).toMatchObject({
          settled: false,
        });
      });
    });
  });
}
