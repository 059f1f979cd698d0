import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy to a server that can be cut. While cut, its port refuses connections. */
export interface TcpSwitch {
  readonly port: number;
  /** How many connections there have been. */
  readonly accepted: number;
  /** Cuts all connections; new ones are refused. */
  cut(): Promise<void>;
  /** Listens again, on the same port. */
  join(): Promise<void>;
  /** Simulates a network that loses every packet: connections stay, new ones are accepted, and nothing arrives in either direction. */
  silence(): void;
  /** What was sent meanwhile arrives. */
  speak(): void;
}

/** @param target port on this machine */
export async function tcpSwitch(target: number): Promise<TcpSwitch> {
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  let port = 0;
  let isSilent = false;
  let accepted = 0;
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket);
    socket.on('data', (chunk) => {
      if (!other.write(chunk)) socket.pause();
    });
    other.on('drain', () => {
      if (!isSilent) socket.resume();
    });
    socket.once('end', () => other.end());
    if (isSilent) socket.pause();
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  };
  const join = async () => {
    server = createServer((client) => {
      accepted += 1;
      const upstream = connect(target, '127.0.0.1');
      keep(client, upstream);
      keep(upstream, client);
      client.once('close', () => upstream.destroy());
      upstream.once('close', () => client.destroy());
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  await join();
  return {
    get port() {
      return port;
    },
    get accepted() {
      return accepted;
    },
    join,
    silence: () => {
      isSilent = true;
      for (const socket of sockets) socket.pause();
    },
    speak: () => {
      isSilent = false;
      for (const socket of sockets) socket.resume();
    },
    cut: async () => {
      const closed = server === null ? null : once(server, 'close');
      server?.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
