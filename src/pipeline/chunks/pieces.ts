import { type ChunkDraft, emptyDraft, utf8Bytes } from './chunk-draft.ts';
import { textEnd } from './take-text.ts';

/** A value that cannot be split takes more than a chunk. */
export class DoesNotFit extends Error {
  override readonly name = 'DoesNotFit';
  /** The chunk's field that is too large. */
  readonly field: string;

  constructor(field: string, bytes: number, maxBytes: number) {
    super(`${field} takes ${bytes} bytes in one piece, but ${maxBytes} are left for it in a chunk`);
    this.field = field;
  }
}

/** Slices of audio end at whole samples, frames and base64 groups: 1 to 4 bytes, mono or stereo. */
const AUDIO_ALIGNMENT = 24;
/** Drafts of one choice that are filled one after the other, each up to a number of bytes. */
export class Pieces {
  readonly all: ChunkDraft[] = [];
  current: ChunkDraft;
  private readonly choiceIndex: number;
  private readonly maxBytes: number;
  private left: number;

  constructor(choiceIndex: number, maxBytes: number) {
    this.choiceIndex = choiceIndex;
    this.maxBytes = maxBytes;
    this.left = maxBytes;
    this.current = this.begin();
  }

  get isFresh(): boolean {
    return this.left === this.maxBytes;
  }

  /** The most that a piece holds. */
  get roomBytes(): number {
    return this.maxBytes;
  }

  begin(): ChunkDraft {
    this.current = emptyDraft(this.choiceIndex);
    this.left = this.maxBytes;
    this.all.push(this.current);
    return this.current;
  }

  /** Takes room for a value that cannot be split, in a new piece if this one is too full. @throws DoesNotFit */
  take(field: string, bytes: number): void {
    if (bytes > this.left && !this.isFresh) this.begin();
    if (bytes > this.left) throw new DoesNotFit(field, bytes, this.maxBytes);
    this.left -= bytes;
  }

  /** Whether the value fits into this piece. If so, its room is taken. */
  takeIfFits(bytes: number): boolean {
    if (bytes > this.left) return false;
    this.left -= bytes;
    return true;
  }

  /** @param headBytes what each piece takes besides its slice; for the first piece it is taken already */
  text(field: string, text: string, add: (piece: ChunkDraft, slice: string) => void, headBytes = 0): void {
    for (let from = 0; from < text.length; ) {
      const end = textEnd(text, from, this.left);
      if (end === from) {
        if (this.isFresh || this.left === this.maxBytes - headBytes)
          throw new DoesNotFit(field, 4 + headBytes, this.maxBytes);
        this.begin();
        this.take(field, headBytes);
        continue;
      }
      const slice = text.slice(from, end);
      this.left -= utf8Bytes(slice);
      add(this.current, slice);
      from = end;
    }
  }

  bytes(field: string, bytes: Uint8Array, add: (piece: ChunkDraft, slice: Uint8Array) => void): void {
    if (bytes.byteLength === 0) add(this.current, bytes);
    for (let from = 0; from < bytes.byteLength; ) {
      const rest = bytes.byteLength - from;
      const length = rest <= this.left ? rest : this.left - (this.left % AUDIO_ALIGNMENT);
      if (length === 0) {
        if (this.isFresh) throw new DoesNotFit(field, AUDIO_ALIGNMENT, this.maxBytes);
        this.begin();
        continue;
      }
      this.left -= length;
      add(this.current, bytes.subarray(from, from + length));
      from += length;
    }
  }
}
