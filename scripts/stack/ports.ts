import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

const LOWEST_FREE_PORT = 15_000;
const HIGHEST_FREE_PORT = 32_000;

/** Whether 127.0.0.1:port is free: a server can listen on it, and nothing answers there. */
export async function isPortFree(port: number): Promise<boolean> {
  return !(await somethingListens(port)) && (await canBind(port));
}

/**
 * Returns a free port of 127.0.0.1. It lies below the range that systems use for outgoing connections, so no client
 * connection can take the port while its server is stopped.
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
  /** The port of the last run, which clients may have in their configuration. */
  remembered: number | undefined;
  standard: number;
}

/** Returns the requested port if there is one. Otherwise it returns the last run's port, the standard port or any free port. */
export async function choosePort(wish: PortWish): Promise<number> {
  const explicit = explicitPort(wish.variable, wish.explicit);
  if (explicit !== undefined) {
    if (await isPortFree(explicit)) return explicit;
    throw new Error(
      `${wish.variable}=${explicit}: port ${explicit} of 127.0.0.1 is taken by another program. ` +
        `Stop that program, set another port, or unset ${wish.variable} to use a free port for ${wish.service}.`,
    );
  }
  for (const port of [wish.remembered, wish.standard]) {
    if (port !== undefined && (await isPortFree(port))) return port;
  }
  return freePort();
}

/** The value of a port variable as a number; undefined when unset. Throws when it is not a valid port. */
export function explicitPort(variable: string, value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const port = Number(value);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Error(
    `${variable}=${value} is not a port. Set a whole number from 1 to 65535, or unset the variable.`,
  );
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
