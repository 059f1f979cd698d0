import type { Writable } from 'node:stream';
import type { Script } from './script.ts';

export type RawAnswer = NonNullable<Script['raw']>;

/** Small texts are repeated in blocks of so many bytes. */
const BLOCK_BYTES = 65_536;

/** Writes what no real provider sends, as fast as it is read. */
export function writeRaw(response: Writable, raw: RawAnswer, onEnd: () => void): void {
  const { start, repeated = '', bytes = repeated === '' ? 0 : Number.POSITIVE_INFINITY, end } = raw;
  const length = Buffer.byteLength(repeated);
  const times = length === 0 ? 0 : Math.max(1, Math.floor(BLOCK_BYTES / length));
  const block = Buffer.from(repeated.repeat(times));
  let left = bytes;
  const goOn = (): void => {
    while (left > 0 && !response.destroyed) {
      const size = Math.min(left, block.length);
      left -= size;
      if (!response.write(block.subarray(0, size))) {
        response.once('drain', goOn);
        return;
      }
    }
    if (response.destroyed) return;
    onEnd();
    response.end(end);
  };
  response.write(start);
  goOn();
}
