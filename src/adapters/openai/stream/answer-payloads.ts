import { GatheredBytes } from '../../../domain/text/gathered-bytes.ts';
import { type AnswerLimit, answerLimits } from '../wire/answer-limits.ts';
import { JsonValueEnd } from '../wire/json-value-end.ts';
import { SseReader } from './sse-reader.ts';

const NO_PAYLOADS: readonly string[] = Object.freeze([]);
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** Brackets that a JSON text or a page begins with; no line of an event stream does. */
const WHOLE_FROM: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x3c]);

/**
 * Takes the body of an answer apart into JSON texts. Its first bytes decide what it is, since servers forget or mistake its
 * content type: an event stream, or one text that is a whole answer, an error or a page.
 */
export class AnswerPayloads {
  /** The body is one text. */
  isWhole = false;
  /** A limit that was exceeded: nothing more is read. */
  overflow: AnswerLimit | null = null;
  readonly #events = new SseReader();
  #isKnown = false;
  #text: GatheredBytes | null = null;
  #end: JsonValueEnd | null = null;

  /** Bytes of what has not been given out, roughly. */
  get heldBytes(): number {
    // Once as it came, and once more as text.
    return this.#text === null ? this.#events.heldBytes : 2 * this.#text.length;
  }

  /** The body is one JSON text, which has come to its end. */
  get hasWholeText(): boolean {
    return this.#end?.isLast === true;
  }

  /** @returns the payloads that ended in this piece, in order */
  push(bytes: Uint8Array): readonly string[] {
    if (this.overflow !== null) return NO_PAYLOADS;
    if (!this.#isKnown) this.#decide(bytes);
    if (this.isWhole) {
      this.#gather(bytes);
      return NO_PAYLOADS;
    }
    const payloads = this.#events.push(bytes);
    if (this.#events.overflowed) this.overflow = 'eventCharacters';
    return payloads;
  }

  /** The body is over. @returns what had not ended, maybe cut in the middle */
  end(): readonly string[] {
    if (this.overflow !== null) return NO_PAYLOADS;
    if (this.#text !== null) {
      const { buffer, byteOffset, byteLength } = this.#text.view();
      return [
        Buffer.from(buffer, byteOffset, byteLength)
          .toString('utf8')
          .replace(/^\uFEFF/, ''),
      ];
    }
    const payload = this.#events.end();
    if (this.#events.overflowed) this.overflow = 'eventCharacters';
    return payload === null ? NO_PAYLOADS : [payload];
  }

  #decide(bytes: Uint8Array): void {
    const first = bytes.find((byte) => !isBlank(byte) && !BYTE_ORDER_MARK.includes(byte));
    if (first === undefined) return;
    this.#isKnown = true;
    this.isWhole = WHOLE_FROM.has(first);
  }

  #gather(bytes: Uint8Array): void {
    this.#text ??= new GatheredBytes();
    this.#end ??= new JsonValueEnd();
    if (this.#text.length + bytes.length > answerLimits.wholeBytes) {
      this.overflow = 'wholeBytes';
      return;
    }
    this.#text.add(bytes);
    this.#end.addBytes(bytes);
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
