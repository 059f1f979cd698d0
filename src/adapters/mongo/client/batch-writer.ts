/** How many writes one command carries at most. */
const BATCH_SIZE = 500;
/** How many commands are in flight at once: enough to fill the database's group commit, few enough for batches to grow. */
const BATCHES_IN_FLIGHT = 2;

/** How many items of a batch that failed are written at once, each alone. */
const ALONE_IN_FLIGHT = 8;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Groups single writes into batches. A lone write is sent at once. Writes that arrive while the allowed number of batches is
 * in flight form the next batch. So batches grow with the load, and no write ever waits for a timer.
 *
 * @param write writes a batch and answers for each item, in order. When it rejects, each item is written again alone,
 *   so that one bad item harms no other: writing an item twice must be harmless.
 */
export function createBatchWriter<Item, Result>(
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let inFlight = 0;
  let scheduled = false;

  async function send(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await write(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (batch.length > 1) {
        for (let at = 0; at < batch.length; at += ALONE_IN_FLIGHT)
          await Promise.all(batch.slice(at, at + ALONE_IN_FLIGHT).map((one) => send([one])));
      } else for (const { reject } of batch) reject(error);
    }
  }

  function flush(): void {
    scheduled = false;
    while (waiting.length > 0 && inFlight < BATCHES_IN_FLIGHT) {
      const batch = waiting.slice(0, BATCH_SIZE);
      waiting = waiting.slice(BATCH_SIZE);
      inFlight += 1;
      void send(batch).finally(() => {
        inFlight -= 1;
        flush();
      });
    }
  }

  return (item) => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    waiting.push({ item, resolve, reject });
    // A microtask later, so that writes issued in the same turn go together.
    if (!scheduled) {
      scheduled = true;
      queueMicrotask(flush);
    }
    return promise;
  };
}
