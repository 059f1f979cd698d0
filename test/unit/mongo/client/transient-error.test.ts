import {
  MongoBulkWriteError,
  MongoClientClosedError,
  MongoError,
  MongoErrorLabel,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
  type WriteConcernError,
} from 'mongodb';
import { describe, expect, it } from 'vitest';
import { isTransientError } from '../../../../src/adapters/mongo/client/transient-error.ts';

const bulkResult = (writeConcernError?: WriteConcernError) =>
  ({ getWriteConcernError: () => writeConcernError }) as MongoBulkWriteError['result'];
const labelled = new MongoServerError({
  message: 'not now',
  errorLabels: [MongoErrorLabel.RetryableWriteError],
});
const unreachable = new MongoServerSelectionError(
  'no server',
  {} as ConstructorParameters<typeof MongoServerSelectionError>[1],
);

describe('an error of the database', () => {
  it.each<[string, Error]>([
    ['a lost connection', new MongoNetworkError('closed')],
    ['no server', unreachable],
    ['a node that steps down', new MongoServerError({ message: 'stepping down', code: 189 })],
    ['a time limit', new MongoServerError({ message: 'too slow', code: 50 })],
    ['a write that the server calls retryable', labelled],
    [
      'a write that is not on a majority yet',
      new MongoWriteConcernError({ ok: 1, writeConcernError: { code: 64, errmsg: 'waiting' } }),
    ],
    [
      'a batch that is not on a majority yet',
      new MongoBulkWriteError(
        { message: 'waiting', code: 64 },
        bulkResult({ code: 64 } as WriteConcernError),
      ),
    ],
    [
      'a batch whose connection was lost',
      new MongoBulkWriteError(new MongoNetworkError('closed'), bulkResult()),
    ],
    ['a socket that was closed during a write', Object.assign(new Error('ended'), { code: 'EPIPE' })],
    [
      'a batch whose socket was closed during a write',
      new MongoBulkWriteError(
        Object.assign(new Error('ended'), { code: 'EPIPE' }) as unknown as MongoError,
        bulkResult(),
      ),
    ],
    ['a batch that found no server', new MongoBulkWriteError(unreachable, bulkResult())],
  ])('is retried when it is %s', (_what, error) => {
    expect(isTransientError(error)).toBe(true);
  });

  it.each<[string, Error]>([
    ['a refused login', new MongoServerError({ message: 'Authentication failed.', code: 18 })],
    [
      'a batch with a duplicate key',
      new MongoBulkWriteError({ message: 'duplicate', code: 11_000 }, bulkResult()),
    ],
    [
      'a batch that the server refused',
      new MongoBulkWriteError(new MongoServerError({ message: 'unauthorized', code: 13 }), bulkResult()),
    ],
    ['a client of ours that is closed', new MongoClientClosedError()],
    ['an error of the driver without a class of its own', new MongoError('odd')],
    ['no error of the database at all', new TypeError('a bug')],
  ])('is not retried when it is %s', (_what, error) => {
    expect(isTransientError(error)).toBe(false);
  });
});
