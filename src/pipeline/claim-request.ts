import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type {
  AttemptDraft,
  Claim,
  Clock,
  RecordSource,
  RequestIdentity,
  RequestLedger,
  WorkerLease,
} from '../ports.ts';

/** How often the ledger is asked whether another worker has finished. */
const POLL_MS = 250;

export interface ClaimingOptions {
  readonly ledger: RequestLedger;
  readonly lease: WorkerLease;
  readonly clock: Clock;
}

export interface RequestToClaim {
  readonly identity: RequestIdentity;
  readonly bodyHash: Uint8Array;
  readonly source: RecordSource;
  readonly draft: Omit<AttemptDraft, 'startedAt'> | null;
  /** Somebody else has it, and is waited for: nothing scarce may be held during `wait`. */
  readonly whileHeld?: <Result>(wait: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
}

/** A claim that was decided, with the token that every later write must carry. */
export type DecidedClaim = Exclude<Claim, { kind: 'held' }> & {
  readonly token: string;
  readonly startedAt: number;
};

/** The claim was taken over by another worker: what is known here of the request is not the truth any more. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/**
 * Claims a request, or waits for whoever has it: until its outcome is in the ledger, or until its worker has been seen
 * dead for a whole lease, whichever comes first. So no request is paid for twice.
 *
 * @throws the signal's reason when it fires while waiting
 */
export async function claimRequest(
  { identity, bodyHash, source, draft, whileHeld = (wait) => wait(signal) }: RequestToClaim,
  { ledger, lease, clock }: ClaimingOptions,
  signal: AbortSignal,
): Promise<DecidedClaim> {
  let deadOwner: string | null = null;
  let watch: OwnerWatch | null = null;
  try {
    for (;;) {
      signal.throwIfAborted();
      const owner = await lease.held(signal);
      const token = randomUUID();
      const startedAt = clock.now();
      const claim: Claim = await ledger.claim({
        identity,
        bodyHash,
        source,
        token,
        owner,
        draft: draft === null ? null : { ...draft, startedAt },
        deadOwner,
        now: startedAt,
      });
      if (claim.kind !== 'held') return { ...claim, token, startedAt };
      // A lease takes longer than a look into the ledger, so the watch goes on from look to look.
      if (watch?.owner !== claim.owner) {
        watch?.stop();
        watch = watchOwner(lease, claim.owner);
      }
      const watched = watch.verdict;
      const verdict: 'dead' | 'alive' | 'unknown' = await whileHeld((ended) =>
        Promise.race([watched, pollDelay(ended)]),
      );
      deadOwner = verdict === 'dead' ? claim.owner : null;
      if (verdict === 'alive') watch = null;
    }
  } finally {
    watch?.stop();
  }
}

interface OwnerWatch {
  readonly owner: string;
  readonly verdict: Promise<'dead' | 'alive'>;
  stop(): void;
}

function watchOwner(lease: WorkerLease, owner: string): OwnerWatch {
  const stopping = new AbortController();
  const verdict = lease.isDead(owner, stopping.signal).then(
    (dead): 'dead' | 'alive' => (dead ? 'dead' : 'alive'),
    (): 'alive' => 'alive',
  );
  return { owner, verdict, stop: () => stopping.abort() };
}

async function pollDelay(signal: AbortSignal): Promise<'unknown'> {
  await wait(POLL_MS, undefined, { signal }).catch(() => undefined);
  return 'unknown';
}
