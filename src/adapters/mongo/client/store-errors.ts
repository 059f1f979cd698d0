import { MongoError, MongoServerError } from 'mongodb';
import { LedgerRefused, StoreUnavailable } from '../../../ports/ledger.ts';

/** Server codes for a document that it does not accept. (Names as in MongoDB's error_codes.yml.) */
const REFUSALS = new Set<number | string | undefined>([
  2, // BadValue
  121, // DocumentValidationFailure
  10334, // BSONObjectTooLarge
  17419, // the update would make the document too large
  17420, // the same, of an insert
]);

/** Whether a write failed because of its content: too large, or not encodable. The driver itself throws the latter. */
function isRefusedDocument(error: unknown): boolean {
  if (error instanceof MongoServerError) return REFUSALS.has(error.code);
  if (error instanceof MongoError) return error.name === 'MongoInvalidArgumentError';
  return error instanceof RangeError || (error instanceof Error && error.name === 'BSONError');
}

/** Translates a database error for the caller of an operation. Other errors are returned unchanged. */
export function asStoreError(error: unknown): unknown {
  if (isRefusedDocument(error))
    return new LedgerRefused('the outcome does not fit into a document of the database', { cause: error });
  if (!(error instanceof MongoError)) return error;
  return new StoreUnavailable(
    `MongoDB rejected the operation (${error.message.slice(0, 300)}); check the user's permissions and the free disk space`,
    { cause: error },
  );
}
