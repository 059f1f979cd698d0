import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const OP_MSG = 2013;
const COMMAND_NAME_OFFSET = 26;

export interface MongoProxy {
  /** A connection string that leads through the proxy. */
  readonly url: string;
  /** Lets the server carry out the next `count` commands of this name, but loses its answers and the connections. */
  loseAnswers(command: string, count: number): void;
  /** Cuts every connection and refuses new ones, until `restore`. */
  cut(): void;
  restore(): void;
  close(): Promise<void>;
}

/** A proxy between a client and a real MongoDB that simulates network failures. */
export async function startMongoProxy(mongodbUrl: string): Promise<MongoProxy> {
  const target = new URL(mongodbUrl);
  const sockets = new Set<Socket>();
  const losses = new Map<string, number>();
  let isCut = false;

  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    let loseNext = false;
    client.on('data', (chunk) => {
      const command = commandName(chunk);
      const left = losses.get(command) ?? 0;
      if (left > 0) {
        losses.set(command, left - 1);
        loseNext = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (loseNext) client.destroy();
      else client.write(chunk);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/?directConnection=true`,
    loseAnswers: (command, count) => losses.set(command, count),
    cut,
    restore: () => {
      isCut = false;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The name of the command that a message begins with; empty when it is not the beginning of one. */
function commandName(chunk: Buffer): string {
  if (chunk.length <= COMMAND_NAME_OFFSET || chunk.readInt32LE(12) !== OP_MSG) return '';
  return chunk.toString('latin1', COMMAND_NAME_OFFSET, chunk.indexOf(0, COMMAND_NAME_OFFSET));
}
