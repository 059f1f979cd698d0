import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClaimWatches } from '../../../../src/pipeline/claims/claim-watches.ts';
import { FakeLease } from '../../../support/fakes/fake-lease.ts';

const identity = { tenantId: 't', requestId: 'r' };
const held = { kind: 'held', owner: 'worker-2', heldToken: 'theirs', replay: false } as const;
const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function bench() {
  const lease = new FakeLease();
  const ledger = { token: 'theirs' as string | null, reads: 0 };
  const claimToken = async () => {
    ledger.reads += 1;
    return ledger.token;
  };
  return { lease, ledger, watches: new ClaimWatches({ claimToken }, lease) };
}

describe('a watch of a claim', () => {
  it('reads in growing intervals of up to four seconds, once for all waiting requests', async () => {
    const { ledger, lease, watches } = bench();
    const ends = Array.from({ length: 10 }, () => watches.untilEnded(identity, held, never));
    await vi.advanceTimersByTimeAsync(3_750);
    expect(ledger.reads).toBe(4);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(ledger.reads).toBe(14);
    expect(lease.watches).toHaveLength(1);
    ledger.token = null;
    await vi.advanceTimersByTimeAsync(4_000);
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['changed']));
    expect(lease.watches[0]?.signal.aborted).toBe(true);
  });

  it.each([
    ['crashed', []],
    ['stopped', ['worker-2']],
  ])('reports that its owner has %s as soon as it is dead', async (end, ended) => {
    const { ledger, lease, watches } = bench();
    for (const owner of ended) lease.ended.add(owner);
    const waiting = watches.untilEnded(identity, held, never);
    lease.watches[0]?.verdict.resolve(true);
    expect(await waiting).toBe(end);
    expect(ledger.reads).toBe(0);
  });

  it('keeps watching an owner that sends heartbeats', async () => {
    const { lease, watches } = bench();
    const waiting = watches.untilEnded(identity, held, never);
    lease.watches[0]?.verdict.resolve(false);
    await vi.advanceTimersByTimeAsync(0);
    lease.watches[1]?.verdict.resolve(true);
    expect(await waiting).toBe('crashed');
  });

  it('continues for the others when one gives up', async () => {
    const { lease, watches } = bench();
    const impatient = new AbortController();
    const [one, other] = [impatient.signal, never].map((signal) =>
      watches.untilEnded(identity, held, signal),
    );
    impatient.abort(new Error('enough'));
    await expect(one).rejects.toThrow('enough');
    expect(lease.watches[0]?.signal.aborted).toBe(false);
    lease.watches[0]?.verdict.resolve(true);
    expect(await other).toBe('crashed');
  });

  it('does not treat an owner as dead because it could not be watched', async () => {
    const { ledger, lease, watches } = bench();
    const waiting = watches.untilEnded(identity, held, never);
    lease.watches[0]?.verdict.reject(new Error('the lease cannot be read'));
    ledger.token = 'another';
    await vi.advanceTimersByTimeAsync(250);
    expect(await waiting).toBe('changed');
  });
});
