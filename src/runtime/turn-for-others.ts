import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InboundRecord } from '../ports/kafka.ts';

/** Every step of a smaller record is over within a few milliseconds, whatever is in it. */
const LARGE_BYTES = 65_536;

/**
 * Between two steps of a large record, everything else gets a turn of the event loop: streams, heartbeats, other requests.
 * Small ones do not wait for that.
 */
export async function turnForOthers(record: InboundRecord): Promise<void> {
  if (contentBytes(record) > LARGE_BYTES) await nextTurn();
}

/** Headers are few and small, and this is asked several times for each request. */
function contentBytes({ key, value }: InboundRecord): number {
  return (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}
