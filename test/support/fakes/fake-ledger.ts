import {
  CRASHES_OF_POISON,
  claimOf,
  DEATHS_OF_SUSPECT,
  freshRow,
  type RequestRow,
  rowId,
  runningAttempt,
  sourceId,
} from '../../../src/adapters/mongo/ledger/request-row.ts';
import type {
  AttemptProgress,
  AttemptRow,
  Claim,
  ClaimRef,
  ClaimRequest,
  RequestIdentity,
  RequestLedger,
  StoredOutcome,
  VerifiedClaims,
} from '../../../src/ports/ledger.ts';

const TTL_MS = 3_600_000;

type Write = 'setQuarantined' | 'claim' | 'beginAttempt' | 'complete' | 'release';

/** A ledger in memory that passes the same contract tests as the MongoDB ledger. */
export class FakeLedger implements RequestLedger {
  readonly rows = new Map<string, RequestRow>();
  /** Every write that was asked for, in order. */
  readonly writes: Write[] = [];
  /** How often the existence of a claim was checked. */
  reads = 0;
  /** Called before a write is done; may wait or throw. */
  before: (write: Write, identity: RequestIdentity) => Promise<void> | void = () => undefined;

  async claim(request: ClaimRequest): Promise<Claim> {
    await this.step('claim', request.identity);
    const id = rowId(request.identity);
    const row = this.rows.get(id);
    if (row === undefined) {
      const fresh = freshRow(request, TTL_MS);
      this.rows.set(id, fresh);
      return answerOf(fresh, request);
    }
    take(row, request);
    return answerOf(row, request);
  }

  async beginAttempt(
    identity: RequestIdentity,
    token: string,
    attempt: AttemptRow,
    completed: readonly AttemptRow[],
  ): Promise<boolean> {
    await this.step('beginAttempt', identity);
    const row = this.rowUnder(identity, token);
    if (row !== null) keep(row, [...completed, attempt]);
    return row !== null;
  }

  async complete(
    identity: RequestIdentity,
    token: string,
    outcome: StoredOutcome,
    attempts: readonly AttemptRow[],
  ): Promise<boolean> {
    await this.step('complete', identity);
    const row = this.rowUnder(identity, token);
    if (row === null) return this.rows.get(rowId(identity))?.outcome?.token === token;
    keep(row, attempts);
    row.claim = null;
    row.outcome = { token, ...outcome };
    return true;
  }

  async release(identity: RequestIdentity, token: string, attempts: readonly AttemptRow[]): Promise<void> {
    await this.step('release', identity);
    const row = this.rowUnder(identity, token);
    if (row === null) {
      const known = this.rows.get(rowId(identity));
      if (known?.crashes) known.crashes = known.crashes.filter((crash) => crash !== token);
      return;
    }
    keep(row, attempts);
    row.claim = null;
  }

  async claimToken(identity: RequestIdentity): Promise<string | null> {
    this.reads += 1;
    return this.rows.get(rowId(identity))?.claim?.token ?? null;
  }

  async setQuarantined(identity: RequestIdentity, token: string, isQuarantined: boolean): Promise<boolean> {
    await this.step('setQuarantined', identity);
    const row = this.rowUnder(identity, token);
    if (row?.claim) row.claim = { ...row.claim, quarantined: isQuarantined };
    return row !== null;
  }

  async reportProgress(running: readonly AttemptProgress[]): Promise<void> {
    for (const { identity, token, attempt, outputBytes } of running) {
      const row = this.rowUnder(identity, token);
      const known = row?.attempts[attempt - 1];
      if (row && known) keep(row, [{ ...known, outputBytes: Math.max(known.outputBytes, outputBytes) }]);
    }
  }

  async verifyClaims(claims: readonly ClaimRef[]): Promise<VerifiedClaims> {
    const known = claims.flatMap(({ identity, token }) => {
      const row = this.rows.get(rowId(identity));
      return row === undefined ? [] : [{ row, token }];
    });
    const isTaken = ({ row, token }: (typeof known)[number]) =>
      (row.claim ?? row.outcome)?.token !== token && (row.claim !== null || row.outcome !== null);
    return {
      taken: new Set(known.filter(isTaken).map(({ token }) => token)),
      isWanted: known.some(({ row, token }) => row.claim?.token === token && row.claim.wanted === true),
    };
  }

  async markSettled(settled: Parameters<RequestLedger['markSettled']>[0]): Promise<void> {
    for (const { identity, source } of settled) {
      const row = this.rows.get(rowId(identity));
      if (row === undefined) continue;
      if (row.source === sourceId(source)) row.settled = true;
      else row.settledReplays.push(sourceId(source));
    }
  }

  async markUnpublished(identity: RequestIdentity): Promise<void> {
    const row = this.rows.get(rowId(identity));
    if (row !== undefined) Object.assign(row, { unpublished: true, settled: true });
  }

  private async step(write: Write, identity: RequestIdentity): Promise<void> {
    this.writes.push(write);
    await this.before(write, identity);
  }

  private rowUnder(identity: RequestIdentity, token: string): RequestRow | null {
    const row = this.rows.get(rowId(identity));
    return row?.claim?.token === token ? row : null;
  }
}

/** Copies the row, because it keeps changing and the answer must not. */
function answerOf(row: RequestRow, request: ClaimRequest): Claim {
  return claimOf({ ...row, attempts: [...row.attempts] }, request);
}

function take(row: RequestRow, request: ClaimRequest): void {
  const source = sourceId(request.source);
  const sameSource = row.source === source;
  const sameRequest = sameSource || Buffer.compare(row.bodyHash, request.bodyHash) === 0;
  const unfinished = row.outcome === null && sameRequest;
  const forgets = row.outcome?.remembered === false && !sameSource;
  const taken = unfinished && row.claim !== null && row.claim.token === request.takeFrom?.token;
  const crashed = taken && request.takeFrom?.crashed === true;
  const crashes = [...(row.crashes ?? []), ...(crashed && row.claim?.quarantined ? [row.claim.token] : [])];
  row.deaths = forgets ? 0 : (row.deaths ?? 0) + (crashed ? 1 : 0);
  row.suspect = !forgets && (row.suspect === true || (crashed && row.deaths >= DEATHS_OF_SUSPECT));
  row.crashes = forgets ? [] : crashes;
  if (forgets || taken)
    row.attempts = row.attempts.map((attempt) =>
      attempt.disposition === 'RUNNING' ? { ...attempt, disposition: 'ORPHANED' } : attempt,
    );
  if (taken) row.claim = null;
  const isPoison = row.crashes.length >= CRASHES_OF_POISON;
  const mayTakeSuspect = request.inQuarantine || request.draft === null || isPoison;
  if (!forgets && !(unfinished && row.claim === null && (!row.suspect || mayTakeSuspect))) {
    if (row.claim !== null && sameSource && row.claim.owner !== request.owner) row.claim.wanted = true;
    return;
  }
  const calls = request.draft !== null && !isPoison;
  row.source = source;
  row.bodyHash = request.bodyHash;
  row.claim = {
    token: request.token,
    owner: request.owner,
    at: new Date(request.now),
    quarantined: row.suspect && calls,
  };
  row.outcome = null;
  row.settled = false;
  row.settledReplays = [];
  if (request.draft !== null && calls)
    row.attempts.push(runningAttempt(request.draft, row.attempts.length + 1));
}

function keep(row: RequestRow, attempts: readonly AttemptRow[]): void {
  for (const attempt of attempts) row.attempts[attempt.attempt - 1] = { ...attempt };
}
