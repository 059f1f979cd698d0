import { damaged, inflatesTooFar } from '../inflation/unreadable-batch.ts';
import { MAX_KEPT_KEY_BYTES } from './batch-limits.ts';

const EMPTY = Buffer.alloc(0);
/** A record's length is a varint of at most this many bytes. */
const LONGEST_LENGTH_BYTES = 5;
/** Enough for a record's offset, its time and a key that is kept. */
const CUT_BYTES = MAX_KEPT_KEY_BYTES + 64;

/**
 * Cuts a batch's content, which comes in pieces of any size, into its records. A record that is larger than
 * `recordMaxBytes` is passed over without being kept. Nothing is copied but records that lie in several pieces, once.
 */
export class RecordCutter {
  /** Where the record that `next` has found begins and ends. */
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** The record was too large to be kept: its first bytes are what there is of it. */
  isCut = false;

  private readonly recordMaxBytes: number;
  private readonly limitBytes: number;
  /** Where the next record's length begins. */
  private at = 0;
  /** Of the content, before `at`. */
  private consumed = 0;
  /** The next record with its length; null until that is known. */
  private wanted: number | null = null;
  private headBytes = 0;
  /** How many bytes of it must be there before it is handed out. */
  private needed = 0;
  private pieces: Buffer[] = [];
  private pieceBytes = 0;
  private toSkip = 0;

  /** @param limitBytes of the content: a record that ends beyond it cannot be read, nor what comes after it */
  constructor(recordMaxBytes: number, limitBytes: number) {
    this.recordMaxBytes = recordMaxBytes;
    this.limitBytes = limitBytes;
  }

  push(piece: Buffer): void {
    const skipped = Math.min(this.toSkip, piece.length);
    this.toSkip -= skipped;
    const rest = this.buffer.length - this.at;
    if (this.pieceBytes === 0 && rest <= 0) {
      this.buffer = skipped === 0 ? piece : piece.subarray(skipped);
      this.at = 0;
      return;
    }
    if (this.pieceBytes === 0) this.addPiece(this.buffer.subarray(this.at));
    this.addPiece(piece);
    if (this.wanted !== null && this.pieceBytes < this.needed) return;
    this.buffer = Buffer.concat(this.pieces, this.pieceBytes);
    this.at = 0;
    this.pieces = [];
    this.pieceBytes = 0;
  }

  /**
   * Finds the next record.
   *
   * @returns false when its bytes are not all there yet
   * @throws UnreadableBatch when its length is not possible, or is beyond the limit
   */
  next(): boolean {
    if (this.pieceBytes > 0 || this.toSkip > 0) return false;
    if (this.wanted === null && !this.readLength()) return false;
    const wanted = this.wanted as number;
    const there = this.buffer.length - this.at;
    if (there < this.needed) return false;
    this.start = this.at + this.headBytes;
    this.end = this.at + Math.min(wanted, there);
    this.at = this.end;
    this.toSkip = wanted - Math.min(wanted, there);
    this.consumed += wanted;
    this.wanted = null;
    return true;
  }

  private readLength(): boolean {
    let value = 0;
    let factor = 1;
    let size = 0;
    for (let byte = 0x80; byte >= 0x80; size += 1) {
      if (size === LONGEST_LENGTH_BYTES) throw damaged('a record begins with no length');
      const next = this.buffer[this.at + size];
      if (next === undefined) return false;
      byte = next;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    }
    // Zigzag: odd numbers are negative ones.
    if (value % 2 === 1) throw damaged('a record has a negative length');
    this.headBytes = size;
    this.wanted = size + value / 2;
    this.isCut = value / 2 > this.recordMaxBytes;
    this.needed = this.isCut ? Math.min(this.wanted, CUT_BYTES) : this.wanted;
    if (this.consumed + this.wanted > this.limitBytes) throw inflatesTooFar(this.limitBytes);
    return true;
  }

  private addPiece(piece: Buffer): void {
    this.pieces.push(piece);
    this.pieceBytes += piece.length;
  }
}
