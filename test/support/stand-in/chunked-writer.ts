import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Writes the body of a chunked HTTP response straight to its socket, as one string per flush.
 *
 * `ServerResponse.write` makes four buffers and a deferred uncork of every chunk, which would cost more than the write
 * itself. Headers and the end stay with the response. Not for pipelined requests.
 */
export class ChunkedWriter {
  readonly socket: Socket;
  readonly #response: ServerResponse;
  readonly #splitBytes: number | undefined;
  #text = '';
  /** Only with `splitBytes`: what waits to be written, each in a turn of the event loop of its own. */
  #pieces: (string | (() => void))[] = [];

  /** @param splitBytes write in pieces of so many bytes */
  constructor(response: ServerResponse, socket: Socket, splitBytes: number | undefined) {
    this.#response = response;
    this.socket = socket;
    this.#splitBytes = splitBytes;
  }

  /** True when so much is waiting that it should be flushed before more is added. */
  get isFull(): boolean {
    return this.#text.length > 65_536;
  }

  add(text: string): void {
    if (text === '') return;
    if (this.#splitBytes === undefined)
      this.#text += `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
    else this.#addPieces(Buffer.from(text), this.#splitBytes);
  }

  flush(): void {
    if (this.#text === '') return;
    this.socket.write(this.#text);
    this.#text = '';
  }

  end(): void {
    this.#afterPieces(() => {
      this.socket.cork();
      this.flush();
      this.#response.end();
      this.socket.uncork();
    });
  }

  /** Breaks the connection after what was written so far. */
  cut(): void {
    this.#afterPieces(() => {
      this.flush();
      this.socket.write('', () => this.socket.destroy());
    });
  }

  #addPieces(bytes: Buffer, size: number): void {
    for (let start = 0; start < bytes.length; start += size) {
      const piece = bytes.subarray(start, start + size);
      // Parts of characters survive as latin1, a character per byte.
      this.#enqueue(`${piece.length.toString(16)}\r\n${piece.toString('latin1')}\r\n`);
    }
  }

  #afterPieces(action: () => void): void {
    if (this.#pieces.length === 0) action();
    else this.#enqueue(action);
  }

  #enqueue(piece: string | (() => void)): void {
    this.#pieces.push(piece);
    if (this.#pieces.length === 1) setImmediate(() => this.#writePieces(0));
  }

  #writePieces(index: number): void {
    const piece = this.#pieces[index];
    if (piece === undefined) this.#pieces = [];
    else {
      if (typeof piece === 'string') this.socket.write(piece, 'latin1');
      else piece();
      setImmediate(() => this.#writePieces(index + 1));
    }
  }
}
