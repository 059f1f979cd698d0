import type { Db } from 'mongodb';
import type { RequestIdentity } from '../../../ports/ledger.ts';
import { boundedRead } from '../client/durable-write.ts';
import { type RequestRow, rowId } from './request-row.ts';

/**
 * Whether the ledger knows a request: it was answered, or is being answered. A failure that is not remembered does not count
 * (docs/mongodb.md).
 */
export function createRequestLookup(db: Db): (identity: RequestIdentity) => Promise<boolean> {
  const requests = db.collection<RequestRow>('requests');
  return async (identity) => {
    const row = await requests.findOne(
      { _id: rowId(identity), 'outcome.remembered': { $ne: false } },
      { projection: { _id: 1 }, readConcern: { level: 'majority' }, ...boundedRead },
    );
    return row !== null;
  };
}
