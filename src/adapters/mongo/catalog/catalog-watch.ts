import type { Db } from 'mongodb';
import { pause } from '../client/retry.ts';

/** Changes come in crowds, as with an import: they are told as one. */
const CROWD_MS = 50;
/** After which a change stream that broke is opened again. */
const REOPEN_MS = 5_000;

/** Tells of changes to models and prices, as they happen. */
export interface CatalogWatch {
  /** Resolves at the next change, or one that nobody was told of yet. */
  changed(): Promise<void>;
}

/**
 * Follows the database's change stream until the signal fires. A stream that breaks, or that the server does not give, is
 * asked for again and again; what changes meanwhile is not told.
 */
export function watchCatalog(db: Db, signal: AbortSignal): CatalogWatch {
  let next = Promise.withResolvers<void>();
  const follow = async () => {
    const stream = db.watch([
      { $match: { 'ns.coll': { $in: ['models', 'prices'] } } },
      { $project: { _id: 1 } },
    ]);
    const close = () => void stream.close().catch(() => undefined);
    signal.addEventListener('abort', close, { once: true });
    try {
      for await (const _change of stream) next.resolve();
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  };
  const keepFollowing = async () => {
    while (!signal.aborted) {
      await follow().catch(() => undefined);
      await pause(REOPEN_MS, signal);
    }
  };
  void keepFollowing();
  return {
    async changed() {
      await next.promise;
      await pause(CROWD_MS, signal);
      next = Promise.withResolvers();
    },
  };
}
