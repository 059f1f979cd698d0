import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type {
  AttemptDraft,
  AttemptRow,
  ClaimRequest,
  RecordSource,
  RequestLedger,
  StoredOutcome,
} from '../../src/ports.ts';

/** Far enough ahead that no row expires while a test looks at it. */
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

/** A claim on a request that no other test knows. */
export function claimRequest(overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    identity: { tenantId: 'acme', requestId: randomUUID() },
    bodyHash: Buffer.from('the same body'),
    source: record(1),
    token: randomUUID(),
    owner: 'worker-a',
    draft,
    deadOwner: null,
    now: NOW,
    ...overrides,
  };
}

/** The same request again, under a token of its own. */
export const again = (first: ClaimRequest, overrides: Partial<ClaimRequest> = {}): ClaimRequest => ({
  ...first,
  token: randomUUID(),
  ...overrides,
});

/** What every ledger owes its callers. */
export function describeLedger(name: string, ledgerOf: () => RequestLedger): void {
  describe(name, () => {
    const complete = (request: ClaimRequest, stored: StoredOutcome, attempts: readonly AttemptRow[]) =>
      ledgerOf().complete(request.identity, request.token, stored, attempts);

    describe('a claim', () => {
      it('on a fresh request is given, with attempt 1', async () => {
        expect(await ledgerOf().claim(claimRequest())).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          deaths: 0,
        });
      });

      it('is held against another worker, and against another record of the same worker', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);

        const held = { kind: 'held', owner: 'worker-a' };
        expect(await ledgerOf().claim(again(first, { owner: 'worker-b' }))).toEqual(held);
        expect(await ledgerOf().claim(again(first, { source: record(9) }))).toEqual(held);
        expect(await ledgerOf().claim(again(first))).toEqual(held);
      });

      it('that is repeated with its own token is the same claim, whatever happened to the first answer', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        expect(await ledgerOf().claim(first)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          deaths: 0,
        });

        await ledgerOf().release(first.identity, first.token, [finished(1, 'ABORTED')]);
        const second = again(first);
        const answer = { kind: 'claimed', attempt: 2, earlier: [finished(1, 'ABORTED')], deaths: 0 };
        expect(await ledgerOf().claim(second)).toEqual(answer);
        expect(await ledgerOf().claim(second)).toEqual(answer);
      });

      it('with another body under the same id is a conflict, running, released or done', async () => {
        const first = claimRequest();
        const other = { bodyHash: Buffer.from('another body'), source: record(9), deadOwner: 'worker-a' };
        await ledgerOf().claim(first);
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });

        await ledgerOf().release(first.identity, first.token, []);
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });

        const second = again(first);
        await ledgerOf().claim(second);
        await complete(second, outcome, []);
        expect(await ledgerOf().claim(again(first, other))).toEqual({ kind: 'conflict' });
      });

      it('of the very same record is no conflict, even if its hash is made differently now', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await ledgerOf().release(first.identity, first.token, [finished(1, 'ABORTED')]);

        const rehashed = again(first, { bodyHash: Buffer.from('newer hash') });
        expect(await ledgerOf().claim(rehashed)).toMatchObject({ kind: 'claimed', attempt: 2 });
      });

      it('keeps requests of different tenants apart', async () => {
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
          deaths: 0,
        });
        expect(await ledgerOf().claim(first)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          deaths: 0,
        });

        await ledgerOf().release(first.identity, first.token, []);
        expect(await ledgerOf().claim(again(first))).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          deaths: 0,
        });
      });

      it('keeps what publishers and providers wrote, dollar signs included, as it is', async () => {
        const odd = { ...draft, model: '$model', account: '$$ROOT', provider: '$provider' };
        const first = claimRequest({ identity: { tenantId: '$t', requestId: `$${randomUUID()}` } });
        await ledgerOf().claim(first);
        await ledgerOf().release(first.identity, first.token, []);
        const second = again(first, { draft: odd, owner: '$owner', token: `$${randomUUID()}` });
        await ledgerOf().claim(second);

        const third = await ledgerOf().claim(again(first, { deadOwner: '$owner' }));
        expect(third).toMatchObject({
          earlier: [{ attempt: 1 }, { ...odd, attempt: 2, disposition: 'ORPHANED' }],
        });
      });
    });

    describe('a takeover', () => {
      it('happens only with the owner that the caller saw dead', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);

        const wrong = again(first, { owner: 'worker-b', deadOwner: 'worker-z' });
        expect(await ledgerOf().claim(wrong)).toEqual({ kind: 'held', owner: 'worker-a' });

        const right = again(first, { owner: 'worker-b', deadOwner: 'worker-a' });
        const orphan = { ...running(1), disposition: 'ORPHANED' };
        const answer = { kind: 'claimed', attempt: 2, earlier: [orphan], deaths: 1 };
        expect(await ledgerOf().claim(right)).toEqual(answer);
        expect(await ledgerOf().claim(right)).toEqual(answer);
      });

      it('makes orphans of running calls only', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await ledgerOf().beginAttempt(first.identity, first.token, running(2), [finished(1, 'RETRIED')]);

        const claim = await ledgerOf().claim(again(first, { owner: 'worker-b', deadOwner: 'worker-a' }));
        const orphan = { ...running(2), disposition: 'ORPHANED' };
        expect(claim).toEqual({
          kind: 'claimed',
          attempt: 3,
          earlier: [finished(1, 'RETRIED'), orphan],
          deaths: 1,
        });
      });

      it('by another record makes that one the original', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const taker = again(first, { owner: 'worker-b', deadOwner: 'worker-a', source: record(9) });
        await ledgerOf().claim(taker);
        await complete(taker, outcome, []);

        expect(await ledgerOf().claim(again(taker))).toMatchObject({ kind: 'done', replay: false });
        expect(await ledgerOf().claim(again(first))).toMatchObject({ kind: 'done', replay: true });
      });

      it('leaves the former owner without a say', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const taker = again(first, { owner: 'worker-b', deadOwner: 'worker-a' });
        await ledgerOf().claim(taker);

        expect(await ledgerOf().beginAttempt(first.identity, first.token, running(2), [])).toBe(false);
        expect(await complete(first, outcome, [finished(1, 'ACCEPTED')])).toBe(false);
        await ledgerOf().release(first.identity, first.token, [finished(1, 'ABORTED')]);

        expect(await ledgerOf().claim(again(first))).toEqual({ kind: 'held', owner: 'worker-b' });
        expect(await complete(taker, outcome, [])).toBe(true);
      });

      it('from the third dead worker is poison: the claim is given, but no call', async () => {
        let claim = claimRequest({ owner: 'worker-0' });
        await ledgerOf().claim(claim);
        for (const death of [1, 2]) {
          claim = again(claim, { owner: `worker-${death}`, deadOwner: claim.owner });
          expect(await ledgerOf().claim(claim)).toMatchObject({ kind: 'claimed', attempt: death + 1 });
        }

        const last = again(claim, { owner: 'worker-3', deadOwner: 'worker-2' });
        const orphans = [1, 2, 3].map((attempt) => ({ ...running(attempt), disposition: 'ORPHANED' }));
        const poisoned = { kind: 'poisoned', deaths: 3, earlier: orphans };
        expect(await ledgerOf().claim(last)).toEqual(poisoned);
        expect(await ledgerOf().claim(last)).toEqual(poisoned);

        await ledgerOf().release(last.identity, last.token, []);
        expect(await ledgerOf().claim(again(last))).toEqual(poisoned);
      });
    });

    describe('progress', () => {
      const report = ({ identity, token }: ClaimRequest, attempt: number, outputBytes: number) =>
        ledgerOf().reportProgress([{ identity, token, attempt, outputBytes }]);
      const orphans = async (first: ClaimRequest, deadOwner = 'worker-a') => {
        const claim = await ledgerOf().claim(again(first, { owner: 'worker-b', deadOwner }));
        return claim.kind === 'claimed' ? claim.earlier : [];
      };

      it('is what is known of an orphan: what was reported last, for each call', async () => {
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

      it('of a retry is its own', async () => {
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

      it('never goes back, however late a report comes', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        const retried = { ...finished(1, 'RETRIED'), outputBytes: 40 };
        await ledgerOf().beginAttempt(first.identity, first.token, running(2), [retried]);
        await report(first, 1, 30);
        expect((await orphans(first))[0]).toEqual(retried);
      });

      it('of a claim that was lost is not written any more', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await report(first, 1, 100);
        const taker = again(first, { owner: 'worker-b', deadOwner: 'worker-a' });
        await ledgerOf().claim(taker);
        await report(first, 1, 999);
        expect((await orphans(taker, 'worker-b')).map(({ outputBytes }) => outputBytes)).toEqual([100, 0]);
      });

      it('of nothing, and of a request that nobody knows, changes nothing', async () => {
        const stranger = claimRequest();
        await ledgerOf().reportProgress([]);
        await report(stranger, 1, 100);
        expect(await ledgerOf().claim(stranger)).toEqual({
          kind: 'claimed',
          attempt: 1,
          earlier: [],
          deaths: 0,
        });
      });
    });

    describe('an outcome', () => {
      it('is given to its own record as the original, to others as a replay', async () => {
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

      it('may be stored again with the same token, and with no other', async () => {
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

      it('that is not remembered is given to its own record again, while another record runs afresh', async () => {
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
        const answer = { kind: 'claimed', attempt: 2, earlier: [finished(1, 'FAILED')], deaths: 0 };
        expect(await ledgerOf().claim(second)).toEqual(answer);
        expect(await ledgerOf().claim(second)).toEqual(answer);
        expect(await complete(second, outcome, [finished(2, 'ACCEPTED')])).toBe(true);
        expect(await ledgerOf().claim(again(second))).toMatchObject({ kind: 'done', outcome, replay: false });
      });

      it('that no broker takes is not published again with its record', async () => {
        const first = claimRequest();
        await ledgerOf().claim(first);
        await complete(first, outcome, []);
        await ledgerOf().markUnpublished(first.identity);
        expect(await ledgerOf().claim(again(first))).toMatchObject({ replay: false, settled: true });
      });

      it('is marked settled for the records that it is visible for, and no others', async () => {
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
