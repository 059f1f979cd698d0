import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InboundRecord } from '../ports.ts';
import { recordBytes } from './record-bytes.ts';

/** Every step of a smaller record is over within a few milliseconds, whatever is in it. */
const LARGE_BYTES = 65_536;

/**
 * Between two steps of a large record, everything else gets a turn of the event loop: streams, heartbeats, other requests.
 * Small ones do not wait for that.
 */
export async function turnForOthers(record: InboundRecord): Promise<void> {
  if (recordBytes(record) > LARGE_BYTES) await nextTurn();
}
