import {
  claimOf,
  DEATHS_OF_POISON,
  freshRow,
  type RequestRow,
  rowId,
  runningAttempt,
  sourceId,
} from '../../../src/adapters/mongo/request-row.ts';
import type {
  AttemptProgress,
  AttemptRow,
  Claim,
  ClaimRequest,
  RequestIdentity,
  RequestLedger,
  StoredOutcome,
} from '../../../src/ports.ts';

const TTL_MS = 3_600_000;

type Write = 'claim' | 'beginAttempt' | 'complete' | 'release';

/** A ledger in memory, held to the same contract as the one in MongoDB. */
export class FakeLedger implements RequestLedger {
  readonly rows = new Map<string, RequestRow>();
  /** Every write that was asked for, in order. */
  readonly writes: Write[] = [];
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
    if (row === null) return;
    keep(row, attempts);
    row.claim = null;
  }

  async reportProgress(running: readonly AttemptProgress[]): Promise<void> {
    for (const { identity, token, attempt, outputBytes } of running) {
      const row = this.rowUnder(identity, token);
      const known = row?.attempts[attempt - 1];
      if (row && known) keep(row, [{ ...known, outputBytes: Math.max(known.outputBytes, outputBytes) }]);
    }
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

/** The row goes on changing; what was answered does not. */
function answerOf(row: RequestRow, request: ClaimRequest): Claim {
  return claimOf({ ...row, attempts: [...row.attempts] }, request);
}

function take(row: RequestRow, request: ClaimRequest): void {
  const source = sourceId(request.source);
  const sameSource = row.source === source;
  const sameRequest = sameSource || Buffer.compare(row.bodyHash, request.bodyHash) === 0;
  const unfinished = row.outcome === null && sameRequest;
  const forgets = row.outcome?.remembered === false && !sameSource;
  const takesOver = unfinished && row.claim !== null && row.claim.owner === request.deadOwner;
  if (!forgets && !takesOver && !(unfinished && row.claim === null)) return;
  if (forgets) row.deaths = 0;
  if (takesOver) row.deaths += 1;
  row.source = source;
  row.bodyHash = request.bodyHash;
  row.claim = { token: request.token, owner: request.owner, at: new Date(request.now) };
  row.outcome = null;
  row.settled = false;
  row.settledReplays = [];
  row.attempts = row.attempts.map((attempt) =>
    attempt.disposition === 'RUNNING' ? { ...attempt, disposition: 'ORPHANED' } : attempt,
  );
  if (request.draft !== null && row.deaths < DEATHS_OF_POISON)
    row.attempts.push(runningAttempt(request.draft, row.attempts.length + 1));
}

function keep(row: RequestRow, attempts: readonly AttemptRow[]): void {
  for (const attempt of attempts) row.attempts[attempt.attempt - 1] = { ...attempt };
}
