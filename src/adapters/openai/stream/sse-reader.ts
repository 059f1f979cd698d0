import { StringDecoder } from 'node:string_decoder';
import { GatheredText } from '../../../domain/text/gathered-text.ts';
import { answerLimits } from '../wire/answer-limits.ts';

const NO_PAYLOADS: readonly string[] = Object.freeze([]);

/** Stands before the data of an event that is an error by its name, or by the field that it came in. No JSON text begins so. */
export const ERROR_EVENT = '\u0000';

/** No name that matters is longer. */
const NAME_CHARACTERS = 32;

/** The beginning of a line that can only belong to another event than a JSON text before it. */
const NEXT_EVENT = /^data: ?(?:\{|\[DONE\])|^\{"error"|^error:/i;

/** Events that only keep the connection alive. */
const KEEP_ALIVE: ReadonlySet<string> = new Set(['ping', 'heartbeat', 'keepalive', 'keep-alive']);

/**
 * Takes a server-sent event stream apart into the `data` of its events. Ids and comments are left out, and so are events that
 * keep the connection alive. Errors are marked (`ERROR_EVENT`): events of that name, and lines `error: …` of some servers. Bytes may be cut anywhere, lines may end in LF, CRLF or CR, and time and memory are linear in the bytes
 * whatever the pieces' sizes. A line or an event above the limit ends the reading: what it holds is dropped.
 *
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class SseReader {
  readonly #decoder = new StringDecoder('utf8');
  /** A line or an event was too long: nothing more is read. */
  overflowed = false;
  /** The line that has not ended: its first piece, and what came after it. Nearly all lines come in one or two pieces. */
  #line = '';
  #lineRest: GatheredText | null = null;
  #lineLength = 0;
  /** Data of the event that has not ended: its first line, null when it has none yet, and further lines. */
  #data: string | null = null;
  #dataRest: GatheredText | null = null;
  #dataLength = 0;
  /** Its name, where that matters. */
  #kind: 'error' | 'keep-alive' | null = null;
  #skipLineFeed = false;
  #atStart = true;

  /** Bytes of what has not ended, roughly: most texts take one for a character. */
  get heldBytes(): number {
    return this.#lineLength + this.#dataLength;
  }

  /** @returns the data of the events that ended in this piece, in order */
  push(bytes: Uint8Array): readonly string[] {
    if (this.overflowed) return NO_PAYLOADS;
    const text = this.#decode(bytes);
    let end = text.indexOf('\n');
    if (end === -1) {
      this.#keep(text);
      return NO_PAYLOADS;
    }
    let payloads: string[] | undefined;
    let start = 0;
    while (end !== -1) {
      const line = this.#endLine(text.slice(start, end));
      if (line !== '') {
        if (this.#beginsAnother(line)) {
          payloads ??= [];
          payloads.push(this.#endEvent());
        }
        this.#take(line);
      } else if (this.#data !== null) {
        const isWanted = this.#kind !== 'keep-alive' || isPieceOfAnswer(this.#data);
        const payload = this.#endEvent();
        if (isWanted) {
          payloads ??= [];
          payloads.push(payload);
        }
      } else this.#kind = null;
      if (this.overflowed) return payloads ?? NO_PAYLOADS;
      start = end + 1;
      end = text.indexOf('\n', start);
    }
    this.#keep(text.slice(start));
    return payloads ?? NO_PAYLOADS;
  }

  /** @returns the data of a last event without its blank line, possibly truncated; null if there is no such event */
  end(): string | null {
    if (this.overflowed) return null;
    const line = this.#endLine(this.#decoder.end());
    if (line !== '') this.#take(line);
    return this.#data === null ? null : this.#endEvent();
  }

  #keep(text: string): void {
    this.#lineLength += text.length;
    if (this.#lineLength > answerLimits.eventCharacters) this.#overflow();
    else if (this.#line === '') this.#line = text;
    else {
      this.#lineRest ??= new GatheredText();
      this.#lineRest.add(text);
    }
  }

  #endLine(rest: string): string {
    if (this.#line === '') return rest;
    const line = `${this.#line}${this.#lineRest ?? ''}${rest}`;
    this.#line = '';
    this.#lineRest = null;
    this.#lineLength = 0;
    return line;
  }

  #endEvent(): string {
    const data = this.#data ?? '';
    const text = this.#dataRest === null ? data : `${data}${this.#dataRest}`;
    const event = this.#kind === 'error' ? `${ERROR_EVENT}${text}` : text;
    this.#kind = null;
    this.#data = null;
    this.#dataRest = null;
    this.#dataLength = 0;
    return event;
  }

  #overflow(): void {
    this.overflowed = true;
    this.#endLine('');
    this.#endEvent();
  }

  #decode(bytes: Uint8Array): string {
    let text = this.#decoder.write(bytes);
    if (text === '') return text;
    if (this.#atStart) {
      this.#atStart = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (this.#skipLineFeed) {
      this.#skipLineFeed = false;
      if (text.charCodeAt(0) === 0x0a) text = text.slice(1);
    }
    if (!text.includes('\r')) return text;
    this.#skipLineFeed = text.endsWith('\r');
    return text.replace(/\r\n?/g, '\n');
  }

  /** Some servers write no blank line between events: a JSON text that has ended does not go on with another one. */
  #beginsAnother(line: string): boolean {
    if (this.#data === null || this.#dataRest !== null || !this.#data.endsWith('}')) return false;
    return NEXT_EVENT.test(line.slice(0, NAME_CHARACTERS)) && isPieceOfAnswer(this.#data);
  }

  #take(line: string): void {
    if (!line.startsWith('data')) {
      this.#takeName(line);
      return;
    }
    let value = '';
    if (line.length > 4) {
      if (line.charCodeAt(4) !== 0x3a) return;
      value = line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5);
      // Of an event stream that somebody wrapped into another one.
      if (value.startsWith('data:')) value = value.slice(value.charCodeAt(5) === 0x20 ? 6 : 5);
    }
    this.#addData(value);
  }

  #takeName(line: string): void {
    if (/^error:/i.test(line)) {
      this.#kind = 'error';
      this.#addData(line.slice(line.charCodeAt(6) === 0x20 ? 7 : 6));
    } else if (line.startsWith('{"error"')) {
      // As it would be without a stream.
      this.#addData(line);
    } else if (line.startsWith('event:')) {
      const name = line.slice(6, 6 + NAME_CHARACTERS).trim();
      this.#kind = KEEP_ALIVE.has(name) ? 'keep-alive' : name === 'error' ? 'error' : null;
    }
  }

  #addData(value: string): void {
    this.#dataLength += value.length + 1;
    if (this.#dataLength > answerLimits.eventCharacters) {
      this.#overflow();
      return;
    }
    if (this.#data === null) {
      this.#data = value;
      return;
    }
    this.#dataRest ??= new GatheredText();
    this.#dataRest.add('\n');
    this.#dataRest.add(value);
  }
}

/** Whether an event is one whatever its name says. */
function isPieceOfAnswer(data: string): boolean {
  return data.includes('"choices"');
}
