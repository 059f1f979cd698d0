import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

const LOWEST_FREE_PORT = 15_000;
const HIGHEST_FREE_PORT = 32_000;

/** Whether a server could listen on 127.0.0.1:port now, and nothing answers there already. */
export async function isPortFree(port: number): Promise<boolean> {
  return !(await somethingListens(port)) && (await canBind(port));
}

/**
 * A port of 127.0.0.1 that nothing uses at the moment. It lies below the ports that systems give to outgoing
 * connections: while a server is stopped, no client's connection can take its port.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(LOWEST_FREE_PORT, HIGHEST_FREE_PORT);
    if (await isPortFree(port)) return port;
  }
  throw new Error(
    `no free port on 127.0.0.1 among 100 tried from ${LOWEST_FREE_PORT} to ${HIGHEST_FREE_PORT}`,
  );
}

export interface PortWish {
  /** What uses the port, for messages. */
  service: string;
  /** The environment variable that sets it, and its value. */
  variable: string;
  explicit: string | undefined;
  /** The port of the last run, which clients may have noted down. */
  remembered: number | undefined;
  standard: number;
}

/** The port that was asked for; else the last run's, the standard one or, when those are taken, any free one. */
export async function choosePort(wish: PortWish): Promise<number> {
  const explicit = explicitPort(wish.variable, wish.explicit);
  if (explicit !== undefined) {
    if (await isPortFree(explicit)) return explicit;
    throw new Error(
      `${wish.variable}=${explicit}: port ${explicit} of 127.0.0.1 is taken by another program. ` +
        `Stop that program, set another port, or unset ${wish.variable} to let a free port be chosen for ${wish.service}.`,
    );
  }
  for (const port of [wish.remembered, wish.standard]) {
    if (port !== undefined && (await isPortFree(port))) return port;
  }
  return freePort();
}

/** The value of a port variable as a number; undefined when unset. Throws when it is no port. */
export function explicitPort(variable: string, value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const port = Number(value);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Error(`${variable}=${value} is not a port: give a whole number from 1 to 65535, or unset it.`);
}

function somethingListens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
