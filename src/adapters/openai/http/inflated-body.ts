import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import type { HttpBody } from './http-exchange.ts';

/** Inflated bytes that wait for their reader, whatever the compressed piece would grow to. */
const CHUNK_BYTES = 65_536;
/** So many first bytes tell text from bytes that have no mark of their own. */
const START_BYTES = 8;

/** A truncated body is noticed later, by what the answer lacks. */
const OPTIONS = { chunkSize: CHUNK_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI = { chunkSize: CHUNK_BYTES, finishFlush: constants.BROTLI_OPERATION_FLUSH };
const ZSTD = { chunkSize: CHUNK_BYTES, finishFlush: constants.ZSTD_e_flush };

/**
 * A body that is inflated if its first bytes are those of gzip, zlib or Zstandard, whatever its headers say: some gateways compress
 * without being asked to. Brotli and bare deflate have no mark: there the header counts, unless the first bytes are text. It
 * inflates as it is read, so that the reader can bound the inflated size.
 */
export class InflatedBody implements HttpBody {
  readonly #body: HttpBody;
  readonly #encoding: string;
  #start: Buffer | null = null;
  #isKnown = false;
  #inflater: Transform | null = null;
  #inflated: AsyncIterator<Buffer> | null = null;

  /** @param encoding the answer's `content-encoding`; null when it has none */
  constructor(body: HttpBody, encoding: string | null = null) {
    this.#body = body;
    this.#encoding = (encoding ?? '').slice(-16).toLowerCase().trim();
  }

  read(): Promise<Buffer | null> {
    return this.#isKnown && this.#inflated === null ? this.#body.read() : this.#read();
  }

  close(): void {
    this.#inflater?.destroy();
    this.#body.close();
  }

  async #read(): Promise<Buffer | null> {
    if (!this.#isKnown) {
      const start = await this.#readStart();
      this.#isKnown = true;
      const inflater = start === null ? null : inflaterFor(start, this.#encoding);
      if (inflater === null) return start;
      this.#start = start;
      this.#inflate(inflater);
    }
    const next = await this.#inflated?.next();
    return next === undefined || next.done === true ? null : next.value;
  }

  /** As many bytes as tell what it is: text is known by its first one, unless it may not be text. */
  async #readStart(): Promise<Buffer | null> {
    let start = await this.#body.read();
    while (start !== null && start.length < START_BYTES && this.#mayBeBytes(start)) {
      const next = await this.#body.read();
      if (next === null) break;
      start = Buffer.concat([start, next]);
    }
    return start;
  }

  #mayBeBytes(start: Buffer): boolean {
    return isUnmarked(this.#encoding) || [0x1f, 0x28, 0x78].includes(start[0] ?? 0);
  }

  #inflate(inflater: Transform): void {
    this.#inflater = inflater;
    this.#inflated = inflater[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    // Its failure is that of the read.
    pipeline(Readable.from(this.#pieces(), { highWaterMark: 1 }), inflater).catch(() => undefined);
  }

  async *#pieces(): AsyncGenerator<Buffer, void, void> {
    if (this.#start !== null) yield this.#start;
    this.#start = null;
    for (let piece = await this.#body.read(); piece !== null; piece = await this.#body.read()) yield piece;
  }
}

function isUnmarked(encoding: string): boolean {
  return encoding.endsWith('br') || encoding.endsWith('deflate');
}

/** @returns null for what is not compressed */
function inflaterFor(start: Buffer, encoding: string): Transform | null {
  const [first = 0, second = 0, third, fourth] = start;
  if (first === 0x1f && second === 0x8b) return createGunzip(OPTIONS);
  if (first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd)
    return createZstdDecompress(ZSTD);
  const isText = start.subarray(0, START_BYTES).every(isOfText);
  if (isText) return null;
  // The method of deflate, and a check sum of the two bytes.
  const isZlib = first === 0x78 && (first * 256 + second) % 31 === 0;
  if (isZlib) return createInflate(OPTIONS);
  if (encoding.endsWith('br')) return createBrotliDecompress(BROTLI);
  return encoding.endsWith('deflate') ? createInflateRaw(OPTIONS) : null;
}

/** A visible character or a blank of ASCII, or a byte of a byte order mark. */
function isOfText(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d) || BYTE_ORDER_MARK.includes(byte);
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
