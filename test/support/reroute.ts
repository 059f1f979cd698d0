/**
 * Preloaded into a worker (`rerouted`): its connections to certain ports of this machine go to others, whatever the servers say
 * of their addresses.
 */
import { Socket } from 'node:net';

const routes: Record<string, number> = JSON.parse(process.env['TEST_REROUTED_PORTS'] ?? '{}');
const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket;

Socket.prototype.connect = function reroute(this: Socket, ...args: unknown[]): Socket {
  // Node's own callers hand over a list that begins with the options.
  const [first] = args;
  const options = (Array.isArray(first) ? first[0] : first) as { port?: number | string } | undefined;
  const port = options?.port === undefined ? undefined : routes[String(options.port)];
  if (options !== undefined && port !== undefined) options.port = port;
  return connect.apply(this, args);
} as typeof Socket.prototype.connect;
