const TIME_LIMIT_MS = 10_000;

/**
 * For writes that later steps rely on: acknowledged only when journaled on a majority. The limits turn a hanging database
 * into an error that is retried.
 */
export const durableWrite = {
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: TIME_LIMIT_MS },
  maxTimeMS: TIME_LIMIT_MS,
} as const;

/** For reads: answered by the primary within a time limit. */
export const boundedRead = { maxTimeMS: TIME_LIMIT_MS } as const;
