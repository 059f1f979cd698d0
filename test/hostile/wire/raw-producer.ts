import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const PRODUCE = 0;
/** The last one before flexible encoding; the first one that may bring zstd is 7. */
const VERSION = 8;
const TIMEOUT_MS = 30_000;

/** Where a batch was put, or the broker's error code. */
export type Appended = { readonly baseOffset: number } | { readonly errorCode: number };

/** Sends record batches unchanged, without a client library, to a broker that leads every partition. */
export class RawProducer {
  private readonly socket: Socket;
  private readonly waiting = new Map<number, (answer: Buffer) => void>();
  private read = Buffer.alloc(0);
  private correlation = 0;
  private failure: Error | null = null;
  private readonly broken = Promise.withResolvers<never>();

  private constructor(socket: Socket) {
    this.socket = socket;
    this.broken.promise.catch(() => undefined);
    const fail = (error: Error) => {
      this.failure ??= error;
      this.broken.reject(error);
    };
    socket.on('data', (bytes: Buffer) => this.onData(bytes));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the broker closed the connection')));
  }

  /** @param broker host:port */
  static async connect(broker: string): Promise<RawProducer> {
    const colon = broker.lastIndexOf(':');
    const socket = connect(Number(broker.slice(colon + 1)), broker.slice(0, colon));
    await once(socket, 'connect');
    socket.setNoDelay();
    return new RawProducer(socket);
  }

  /** @throws when the connection breaks */
  async send(topic: string, partition: number, batch: Buffer): Promise<Appended> {
    if (this.failure !== null) throw this.failure;
    this.correlation += 1;
    const { correlation } = this;
    const answered = new Promise<Buffer>((resolve) => this.waiting.set(correlation, resolve));
    const body = Buffer.concat([
      int16(PRODUCE),
      int16(VERSION),
      int32(correlation),
      text('hostile'),
      int16(-1),
      int16(-1),
      int32(TIMEOUT_MS),
      int32(1),
      text(topic),
      int32(1),
      int32(partition),
      int32(batch.length),
      batch,
    ]);
    this.socket.write(int32(body.length));
    this.socket.write(body);
    const answer = await Promise.race([answered, this.broken.promise]);
    // Number of topics, name, number of partitions, partition.
    const at = 4 + 2 + answer.readInt16BE(4) + 4 + 4;
    const errorCode = answer.readInt16BE(at);
    return errorCode === 0 ? { baseOffset: Number(answer.readBigInt64BE(at + 2)) } : { errorCode };
  }

  close(): void {
    this.socket.destroy();
  }

  private onData(bytes: Buffer): void {
    this.read = Buffer.concat([this.read, bytes]);
    while (this.read.length >= 4 && this.read.length >= 4 + this.read.readInt32BE()) {
      const end = 4 + this.read.readInt32BE();
      const correlation = this.read.readInt32BE(4);
      this.waiting.get(correlation)?.(this.read.subarray(8, end));
      this.waiting.delete(correlation);
      this.read = this.read.subarray(end);
    }
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
