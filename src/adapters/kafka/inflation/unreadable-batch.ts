import type { UnreadableRecord } from '../../../ports/kafka.ts';

/** Why a batch, or the rest of it, cannot be read. Never leaves this folder: its records are marked with it. */
export class UnreadableBatch extends Error {
  override readonly name = 'UnreadableBatch';
  readonly code: UnreadableRecord['code'];

  constructor(code: UnreadableRecord['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The batch's bytes do not have the form that they should have. */
export function damaged(what: string, options?: ErrorOptions): UnreadableBatch {
  return new UnreadableBatch(
    'unreadable_batch',
    `The record's batch is damaged: ${what}. Publish it again with a client that Kafka supports`,
    options,
  );
}

export function inflatesTooFar(limitBytes: number): UnreadableBatch {
  return new UnreadableBatch(
    'too_large',
    `The record's batch inflates to more than ${limitBytes} bytes. Publish smaller records, or smaller batches`,
  );
}

/** Whatever reading a batch can throw, as an error that says why. */
export function asUnreadable(error: unknown): UnreadableBatch {
  if (error instanceof UnreadableBatch) return error;
  return damaged('it cannot be decompressed', { cause: error });
}
