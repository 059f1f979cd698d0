import { type Collection, type Db, MongoBulkWriteError } from 'mongodb';
import type { AttemptRow, ClaimRef, RequestLedger, VerifiedClaims } from '../../../ports/ledger.ts';
import { createBatchWriter } from '../client/batch-writer.ts';
import { boundedRead, durableWrite } from '../client/durable-write.ts';
import { answered, type RetryPolicy, retry } from '../client/retry.ts';
import { asStoreError } from '../client/store-errors.ts';
import { claimUpdate } from './claim-update.ts';
import { claimOf, freshRow, type RequestRow, rowId, sourceId } from './request-row.ts';

const DUPLICATE_KEY = 11_000;
const REMEMBERED_REPLAYS = 100;

export interface LedgerOptions {
  readonly db: Db;
  /** How long a row is kept after its last claim. Must be longer than the request topics' retention. */
  readonly ttlMs: number;
  /** Ends all waiting for the database. Fire it only when nothing more must be written. */
  readonly stopSignal: AbortSignal;
  /** Called for every database error that is waited out. */
  readonly onRetry: (error: unknown) => void;
  /** As in `RetryPolicy`. */
  readonly longestMs?: number | undefined;
}

export interface MongoRequestLedger extends RequestLedger {
  /** How many calls of `markSettled` failed. If their records are redelivered, the ledger answers them a second time. */
  readonly unmarkedBatches: number;
}

/** A write under a claim: done only while the token is the row's. */
interface ConditionalWrite {
  readonly id: string;
  readonly token: string;
  readonly set: Record<string, unknown>;
  /** Whether the write is done, or done before, judged by the row's tokens when it matched nothing. */
  readonly isDone: (tokens: RowTokens) => boolean;
}

type RowTokens = { readonly claim: string | undefined; readonly outcome: string | undefined };

/**
 * The ledger in the collection `requests`.
 *
 * A claim on a new request is part of a batched insert. Only a known request costs a round trip of its own. While the
 * database is unavailable, work waits here. Every write is idempotent: a claim is recognized by its token, an attempt has
 * its own place, and an outcome carries the token that made it.
 */
export function createRequestLedger({
  db,
  ttlMs,
  stopSignal,
  onRetry,
  longestMs,
}: LedgerOptions): MongoRequestLedger {
  const requests = db.collection<RequestRow>('requests', { promoteBuffers: true });
  const policy: RetryPolicy = { signal: stopSignal, onRetry, longestMs };
  const persist = <Result>(operation: () => Promise<Result>): Promise<Result> =>
    retry(operation, policy).catch((error: unknown) => {
      throw asStoreError(error);
    });
  const insertRow = createBatchWriter((rows: readonly RequestRow[]) =>
    persist(() => insertRows(requests, rows)),
  );
  const writeUnderClaim = createBatchWriter((writes: readonly ConditionalWrite[]) =>
    persist(() => writeConditionally(requests, writes)),
  );
  let unmarkedBatches = 0;

  return {
    async claim(request) {
      const filter = { _id: rowId(request.identity) };
      for (;;) {
        const inserted = await insertRow(freshRow(request, ttlMs));
        if (inserted) return { kind: 'claimed', attempt: 1, earlier: [], quarantined: false };
        const row = await persist(() =>
          requests.findOneAndUpdate(filter, claimUpdate(request, ttlMs), {
            returnDocument: 'after',
            ...durableWrite,
          }),
        );
        // Null: the row expired in between.
        if (row !== null) return claimOf(row, request);
      }
    },

    beginAttempt(identity, token, attempt, completed) {
      const set = attemptFields([...completed, attempt]);
      return writeUnderClaim({ id: rowId(identity), token, set, isDone: (tokens) => tokens.claim === token });
    },

    complete(identity, token, outcome, attempts) {
      const set = { ...attemptFields(attempts), claim: null, outcome: { token, ...outcome } };
      return writeUnderClaim({
        id: rowId(identity),
        token,
        set,
        isDone: (tokens) => tokens.outcome === token,
      });
    },

    async claimToken(identity) {
      const row = await persist(() =>
        requests.findOne(
          { _id: rowId(identity) },
          { projection: { _id: 0, 'claim.token': 1 }, ...boundedRead },
        ),
      );
      return row?.claim?.token ?? null;
    },

    setQuarantined(identity, token, isQuarantined) {
      return writeUnderClaim({
        id: rowId(identity),
        token,
        set: { 'claim.quarantined': isQuarantined },
        isDone: (tokens) => tokens.claim === token,
      });
    },

    async release(identity, token, attempts) {
      const id = rowId(identity);
      const set = { ...attemptFields(attempts), claim: null };
      // A write whose answer was lost looks as if the claim was lost. Then there is no charge to take back.
      if (await writeUnderClaim({ id, token, set, isDone: () => false })) return;
      await persist(() =>
        requests.updateOne({ _id: id, crashes: token }, { $pull: { crashes: token } }, durableWrite),
      );
    },

    async reportProgress(running) {
      if (running.length === 0) return;
      const updates = running.map(({ identity, token, attempt, outputBytes }) => ({
        updateOne: {
          filter: { _id: rowId(identity), 'claim.token': token },
          // A late progress report must not overwrite a finished attempt.
          update: { $max: { [`attempts.${attempt - 1}.outputBytes`]: outputBytes } },
        },
      }));
      // It is only for the estimate of an orphaned call, so one replica set member is enough, and the next beat retries.
      const written = requests.bulkWrite(updates, { ordered: false, writeConcern: { w: 1 } });
      await answered(written, longestMs).catch((error: unknown) => {
        onRetry(error);
        throw error;
      });
    },

    async verifyClaims(claims) {
      if (claims.length === 0) return { taken: new Set(), isWanted: false };
      return answered(verifyClaims(requests, claims), longestMs).catch((error: unknown) => {
        onRetry(error);
        throw error;
      });
    },

    async markUnpublished(identity) {
      const update = { $set: { unpublished: true, settled: true } };
      await persist(() => requests.updateOne({ _id: rowId(identity) }, update, durableWrite));
    },

    async markSettled(settled) {
      try {
        await markSettled(
          requests,
          settled.map(({ identity, source }) => ({ id: rowId(identity), source: sourceId(source) })),
        );
      } catch {
        unmarkedBatches += 1;
      }
    },

    get unmarkedBatches() {
      return unmarkedBatches;
    },
  };
}

/** Inserts rows. False for those whose id is taken, even by an own write whose answer was lost. */
async function insertRows(requests: Collection<RequestRow>, rows: readonly RequestRow[]): Promise<boolean[]> {
  try {
    await requests.insertMany([...rows], { ordered: false, ...durableWrite });
    return rows.map(() => true);
  } catch (error) {
    const problems = duplicateKeys(error);
    if (problems === null) throw error;
    const taken = new Set(problems);
    return rows.map((_row, index) => !taken.has(index));
  }
}

/** Which rows of an insert were refused as duplicates; null if the insert failed in any other way as well. */
function duplicateKeys(error: unknown): number[] | null {
  // A lost connection has the same class, without write errors and with an unknown number of rows.
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined)
    return null;
  const problems = [error.writeErrors].flat();
  const onlyDuplicates = problems.length > 0 && problems.every(({ code }) => code === DUPLICATE_KEY);
  return onlyDuplicates ? problems.map(({ index }) => index) : null;
}

async function writeConditionally(
  requests: Collection<RequestRow>,
  writes: readonly ConditionalWrite[],
): Promise<boolean[]> {
  const updates = writes.map(({ id, token, set }) => ({
    updateOne: { filter: { _id: id, 'claim.token': token }, update: { $set: set } },
  }));
  const { matchedCount } = await requests.bulkWrite(updates, { ordered: false, ...durableWrite });
  if (matchedCount === writes.length) return writes.map(() => true);

  const ids = writes.map(({ id }) => id);
  const projection = { 'claim.token': 1, 'outcome.token': 1 };
  const rows = await requests.find({ _id: { $in: ids } }, { projection, ...boundedRead }).toArray();
  const tokens = new Map(
    rows.map((row) => [row._id, { claim: row.claim?.token, outcome: row.outcome?.token }]),
  );
  return writes.map(({ id, isDone }) => isDone(tokens.get(id) ?? { claim: undefined, outcome: undefined }));
}

/** Only rows that are not as their claimant thinks are read: usually none. */
async function verifyClaims(
  requests: Collection<RequestRow>,
  claims: readonly ClaimRef[],
): Promise<VerifiedClaims> {
  const tokens = new Map(claims.map(({ identity, token }) => [rowId(identity), token]));
  const own = [...tokens.values()];
  const filter = {
    _id: { $in: [...tokens.keys()] },
    $or: [
      { claim: { $ne: null }, 'claim.token': { $nin: own } },
      { outcome: { $ne: null }, 'outcome.token': { $nin: own } },
      { 'claim.wanted': true },
    ],
  };
  const projection = { 'claim.token': 1 };
  const rows = await requests.find(filter, { projection, ...boundedRead }).toArray();
  const isOwn = (row: RequestRow) => row.claim?.token === tokens.get(row._id);
  const taken = rows.filter((row) => !isOwn(row)).map((row) => tokens.get(row._id) ?? '');
  return { taken: new Set(taken), isWanted: rows.some(isOwn) };
}

async function markSettled(
  requests: Collection<RequestRow>,
  settled: readonly { readonly id: string; readonly source: string }[],
): Promise<void> {
  if (settled.length === 0) return;
  const options = { writeConcern: { w: 1 }, maxTimeMS: durableWrite.maxTimeMS };
  // A record's place belongs to one request only, so that matching the two lists apart cannot mix requests up.
  const originals = {
    _id: { $in: settled.map(({ id }) => id) },
    source: { $in: settled.map(({ source }) => source) },
  };
  const { matchedCount } = await requests.updateMany(originals, { $set: { settled: true } }, options);
  if (matchedCount === settled.length) return;

  const replays = settled.map(({ id, source }) => ({
    updateOne: {
      filter: { _id: id, source: { $ne: source }, settledReplays: { $ne: source } },
      update: { $push: { settledReplays: { $each: [source], $slice: -REMEMBERED_REPLAYS } } },
    },
  }));
  await requests.bulkWrite(replays, { ordered: false, ...options });
}

function attemptFields(attempts: readonly AttemptRow[]): Record<string, AttemptRow> {
  return Object.fromEntries(attempts.map((attempt) => [`attempts.${attempt.attempt - 1}`, attempt]));
}
