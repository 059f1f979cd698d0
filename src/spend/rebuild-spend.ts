import { setTimeout as wait } from 'node:timers/promises';
import type { RequestIdentity } from '../ports/ledger.ts';
import { type Folded, SpendListener, type SpendListenerOptions } from './spend-listener.ts';
import type { SpendRebuild } from './spend-store.ts';

export interface RebuildOptions extends Omit<SpendListenerOptions, 'store' | 'onFolded' | 'onCrash'> {
  readonly rebuild: SpendRebuild;
  /** How long an amount may be reserved without being renewed, in milliseconds. */
  readonly reservationTtlMs: number;
}

const POLL_MS = 100;

/**
 * Counts the whole cost topic from scratch, beside the listener, and activates the result in one step. Until then reports
 * and budgets see the earlier counts.
 *
 * @returns how many events were counted, and how many records could not be read
 * @throws the signal's reason; whatever ends the reading
 */
export async function rebuildSpend(
  { rebuild, reservationTtlMs, ...options }: RebuildOptions,
  signal: AbortSignal,
): Promise<{ events: number; unreadable: number }> {
  // 1 Start a new generation, from the log's beginning.
  const ranges = await options.readRanges();
  const { generation, hasReserved } = await rebuild.begin(ranges.size);
  const ends = new Map([...ranges].map(([partition, { low, high }]) => [partition, low === high ? 0 : high]));

  // 2 Read the whole log.
  const crashed = Promise.withResolvers<never>();
  crashed.promise.catch(() => undefined);
  const counted: RequestIdentity[] = [];
  const recentSince = options.clock.now() + options.chargeIdTtlMs - reservationTtlMs;
  const done = { events: 0, unreadable: 0 };
  const onFolded = ({ events, unreadable }: Folded) => {
    done.events += events.length;
    done.unreadable += unreadable;
    for (const { request, keepUntil } of events) {
      // Reservations from before the start, renewed until now, or later ones, which only recent events can have.
      const isRecent = keepUntil !== null && keepUntil >= recentSince;
      if (isRecent || hasReserved(request)) counted.push(request);
    }
  };
  const store = rebuild.storeOf(generation);
  const listener = new SpendListener({ ...options, store, onFolded, onCrash: crashed.reject });
  try {
    await Promise.race([listener.start(), crashed.promise]);
    for (;;) {
      signal.throwIfAborted();
      // 3 Activate it as soon as it has counted everything that the one in use has.
      if (listener.hasCounted(ends)) {
        const now = await options.readRanges();
        const logEnds = new Map([...now].map(([partition, { high }]) => [partition, high]));
        if (await rebuild.finish(generation, logEnds, counted)) break;
      }
      await Promise.race([wait(POLL_MS, undefined, { signal }).catch(() => undefined), crashed.promise]);
    }
  } finally {
    await listener.stop();
  }

  // 4 Remove the earlier generation, and what earlier rebuilds left.
  await rebuild.clean();
  return done;
}
