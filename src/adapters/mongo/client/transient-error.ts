import {
  MongoBulkWriteError,
  MongoError,
  MongoErrorLabel,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb';

/**
 * Server codes that say "not now": a node that is stepping down, shutting down or catching up, an operation that ran
 * into its time limit, a write that is not yet on a majority. (Names as in MongoDB's error_codes.yml.)
 */
const transientCodes = new Set<number | string | undefined>([
  6, // HostUnreachable
  7, // HostNotFound
  24, // LockTimeout
  50, // MaxTimeMSExpired
  64, // WriteConcernTimeout
  89, // NetworkTimeout
  91, // ShutdownInProgress
  112, // WriteConflict
  189, // PrimarySteppedDown
  262, // ExceededTimeLimit
  365, // TemporarilyUnavailable
  9001, // SocketException
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11601, // Interrupted
  11602, // InterruptedDueToReplStateChange
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
]);

/** Node's error for a socket that broke just before the driver wrote to it. The driver passes it on unchanged. */
const brokenSocketCodes = new Set<unknown>([
  'EPIPE',
  'ECONNRESET',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** Whether the same operation can succeed later, once the state of the database's nodes changes. */
export function isTransientError(error: unknown): boolean {
  if (!(error instanceof MongoError)) return isBrokenSocket(error);
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (error instanceof MongoWriteConcernError) return true;
  if (error instanceof MongoBulkWriteError) {
    if (error.result.getWriteConcernError() !== undefined) return true;
    // The error that interrupted a bulk write is wrapped in this class.
    const { errorResponse } = error;
    if (errorResponse instanceof MongoError || isBrokenSocket(errorResponse))
      return isTransientError(errorResponse);
  }
  if (error.hasErrorLabel(MongoErrorLabel.RetryableWriteError)) return true;
  return error instanceof MongoServerError && transientCodes.has(error.code);
}

function isBrokenSocket(error: unknown): boolean {
  return error instanceof Error && 'code' in error && brokenSocketCodes.has(error.code);
}
