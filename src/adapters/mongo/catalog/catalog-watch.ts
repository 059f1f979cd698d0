import type { Db } from 'mongodb';
import { pause } from '../client/retry.ts';

/** Changes come in bursts, as with an import. A burst is reported once. */
const BURST_MS = 50;
/** How long to wait before a broken change stream is reopened. */
const REOPEN_MS = 5_000;

/** Reports changes to models and prices as they happen. */
export interface CatalogWatch {
  /** Resolves at the next change, or at once if one has not been reported yet. */
  changed(): Promise<void>;
}

/**
 * Follows the database's change stream until the signal fires. A stream that breaks, or that the server refuses, is reopened
 * until it works. Changes in between are not reported.
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
      await pause(BURST_MS, signal);
      next = Promise.withResolvers();
    },
  };
}
