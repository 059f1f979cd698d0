import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, type Gunzip } from 'node:zlib';
import type { HttpBody } from './http-exchange.ts';

const GZIP = [0x1f, 0x8b] as const;
/** Inflated bytes that wait for their reader, whatever the compressed piece would grow to. */
const CHUNK_BYTES = 65_536;

/**
 * A body that is inflated if its first bytes are those of gzip, whatever its headers say: some gateways compress unasked. It
 * inflates as it is read, so that the reader can bound the inflated size.
 */
export class InflatedBody implements HttpBody {
  readonly #body: HttpBody;
  #start: Buffer | null = null;
  #isKnown = false;
  #gunzip: Gunzip | null = null;
  #inflated: AsyncIterator<Buffer> | null = null;

  constructor(body: HttpBody) {
    this.#body = body;
  }

  read(): Promise<Buffer | null> {
    return this.#isKnown && this.#inflated === null ? this.#body.read() : this.#read();
  }

  close(): void {
    this.#gunzip?.destroy();
    this.#body.close();
  }

  async #read(): Promise<Buffer | null> {
    if (!this.#isKnown) {
      const start = await this.#readStart();
      this.#isKnown = true;
      if (start === null || !isGzip(start)) return start;
      this.#start = start;
      this.#inflate();
    }
    const next = await this.#inflated?.next();
    return next === undefined || next.done === true ? null : next.value;
  }

  /** As many bytes as tell what it is. */
  async #readStart(): Promise<Buffer | null> {
    const first = await this.#body.read();
    if (first === null || first.length > 1 || first[0] !== GZIP[0]) return first;
    const second = await this.#body.read();
    return second === null ? first : Buffer.concat([first, second]);
  }

  #inflate(): void {
    // A truncated body is noticed later, by what the answer lacks.
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES, finishFlush: constants.Z_SYNC_FLUSH });
    this.#gunzip = gunzip;
    this.#inflated = gunzip[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    // Its failure is that of the read.
    pipeline(Readable.from(this.#pieces(), { highWaterMark: 1 }), gunzip).catch(() => undefined);
  }

  async *#pieces(): AsyncGenerator<Buffer, void, void> {
    if (this.#start !== null) yield this.#start;
    this.#start = null;
    for (let piece = await this.#body.read(); piece !== null; piece = await this.#body.read()) yield piece;
  }
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === GZIP[0] && bytes[1] === GZIP[1];
}
