import { StringDecoder } from 'node:string_decoder';

const NO_PAYLOADS: readonly string[] = Object.freeze([]);

/**
 * Takes a server-sent event stream apart into the `data` of its events; event names, ids and comments are not
 * told. Bytes may be cut anywhere, lines may end in LF, CRLF or CR, and the time taken is linear in the bytes
 * whatever the pieces' sizes.
 *
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class SseReader {
  readonly #decoder = new StringDecoder('utf8');
  /** The line that has not ended. Only appended to, so that V8 keeps it as a rope until its end is there. */
  #line = '';
  /** Data of the event that has not ended; null when it has none yet. */
  #data: string | null = null;
  #skipLineFeed = false;
  #atStart = true;

  /** @returns the data of the events that ended in this piece, in order */
  push(bytes: Uint8Array): readonly string[] {
    const text = this.#decode(bytes);
    let end = text.indexOf('\n');
    if (end === -1) {
      this.#line += text;
      return NO_PAYLOADS;
    }
    let payloads: string[] | undefined;
    let start = 0;
    while (end !== -1) {
      const line = this.#line === '' ? text.slice(start, end) : this.#line + text.slice(start, end);
      this.#line = '';
      if (line !== '') this.#take(line);
      else if (this.#data !== null) {
        payloads ??= [];
        payloads.push(this.#data);
        this.#data = null;
      }
      start = end + 1;
      end = text.indexOf('\n', start);
    }
    this.#line = text.slice(start);
    return payloads ?? NO_PAYLOADS;
  }

  /** @returns the data of a last event that no blank line ended, maybe cut in the middle; null when there is none */
  end(): string | null {
    const line = this.#line + this.#decoder.end();
    if (line !== '') this.#take(line);
    const data = this.#data;
    this.#line = '';
    this.#data = null;
    return data;
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

  #take(line: string): void {
    if (!line.startsWith('data')) return;
    let value = '';
    if (line.length > 4) {
      if (line.charCodeAt(4) !== 0x3a) return;
      value = line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5);
    }
    this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
  }
}
