const TIME_LIMIT_MS = 10_000;

/**
 * For writes that later steps rely on: on a majority and in the journal before they are answered. The limits turn a
 * database that hangs into an error that is retried.
 */
export const durableWrite = {
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: TIME_LIMIT_MS },
  maxTimeMS: TIME_LIMIT_MS,
} as const;

/** For reads: answered by the primary within a time limit. */
export const boundedRead = { maxTimeMS: TIME_LIMIT_MS } as const;
