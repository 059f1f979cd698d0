import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InboundRecord } from '../ports/kafka.ts';

/** Every step of a smaller record ends within a few milliseconds, whatever its content. */
const LARGE_BYTES = 65_536;

/**
 * Yields to the event loop between two steps of a large record, for streams, heartbeats and other requests. Small records do
 * not yield.
 */
export async function turnForOthers(record: InboundRecord): Promise<void> {
  if (contentBytes(record) > LARGE_BYTES) await nextTurn();
}

/** Headers are few and small, and this is called several times per request. */
function contentBytes({ key, value }: InboundRecord): number {
  return (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}
