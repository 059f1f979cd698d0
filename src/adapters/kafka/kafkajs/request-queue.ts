import { internalOf } from './kafkajs-internals.ts';

interface Request {
  readonly sentAt: number;
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

/** Of one connection's queue in kafkajs, what is used here. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  /** In the order of sending. */
  readonly inflight: ReadonlyMap<number, Request>;
  readonly enforceRequestTimeout: boolean;
  readonly requestTimeout: number;
  requestTimeoutIntervalId?: NodeJS.Timeout | undefined;
  connection?: Connection;
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
  sendSocketRequest(request: Request): void;
  rejectAll(error: Error): void;
  destroy(): void;
}

interface Connection {
  readonly host: string;
  readonly port: number;
  readonly requestQueue: RequestQueue;
  readonly socket?: { destroy(): void };
  connectionStatus: string;
  authenticatedAt: unknown;
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  connecting?: Promise<unknown> | null;
  connect(): Promise<unknown>;
}

type ConnectionClosed = new (message: string, at: { readonly host: string; readonly port: number }) => Error;

const LONGEST_CHECK_MS = 100;
/** The length of an answer's length. */
const LENGTH_BYTES = 4;
let isInstalled = false;

/**
 * Gives a connection of kafkajs timers only while it has requests, and drops a connection whose request got no answer in time.
 * kafkajs itself checks every 100 ms, and every millisecond after the first answer, as long as the connection exists. An idle
 * service used a tenth of a core, and Node warned about a negative delay. After an unanswered request, kafkajs keeps the
 * connection, where all later requests get no answer either.
 */
export function installRequestQueue(): void {
  if (isInstalled) return;
  isInstalled = true;
  const { prototype: queue } = internalOf<{ prototype: RequestQueue }>('network/requestQueue/index.js');
  const { scheduleCheckPendingRequests, sendSocketRequest } = queue;
  // An answer, or the end of a throttle, checks again.
  queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
  queue.scheduleRequestTimeoutCheck = () => undefined;
  queue.sendSocketRequest = function (this: RequestQueue, request) {
    sendSocketRequest.call(this, request);
    if (!this.enforceRequestTimeout || this.inflight.size === 0) return;
    this.requestTimeoutIntervalId ??= setInterval(
      () => checkTimeouts(this),
      Math.min(this.requestTimeout, LONGEST_CHECK_MS),
    );
  };
  const { destroy } = queue;
  queue.destroy = function (this: RequestQueue) {
    destroy.call(this);
    this.requestTimeoutIntervalId = undefined;
  };

  const { prototype: connection } = internalOf<{ prototype: Connection }>('network/connection.js');
  const { connect } = connection;
  connection.connect = function (this: Connection) {
    this.requestQueue.connection = this;
    // Several requests that find it closed would each open a socket, and all but one would leak.
    this.connecting ??= connect
      .call(this)
      .catch((error: unknown) => {
        // A socket that connects late would be taken for the next one.
        this.socket?.destroy();
        throw error;
      })
      .finally(() => {
        this.connecting = null;
      });
    return this.connecting;
  };
}

function checkTimeouts(queue: RequestQueue): void {
  const now = Date.now();
  let isDead = false;
  let isFirst = true;
  for (const request of queue.inflight.values()) {
    if (now - request.sentAt > request.requestTimeout) {
      // A broker answers in order: requests behind a slow one, such as joining a group, wait without fault.
      isDead ||= isFirst;
      request.timeoutRequest();
    } else isFirst = false;
  }
  if (isDead && queue.connection !== undefined) drop(queue.connection);
  if (queue.inflight.size > 0) return;
  clearInterval(queue.requestTimeoutIntervalId);
  queue.requestTimeoutIntervalId = undefined;
}

/** As if the broker had closed it: pending requests fail, and the next request reconnects. */
function drop(connection: Connection): void {
  const { host, port, requestQueue, socket } = connection;
  const { KafkaJSConnectionClosedError } = internalOf<{ KafkaJSConnectionClosedError: ConnectionClosed }>(
    'errors.js',
  );
  const { CONNECTION_STATUS } = internalOf<{ CONNECTION_STATUS: { readonly DISCONNECTED: string } }>(
    'network/connectionStatus.js',
  );
  connection.connectionStatus = CONNECTION_STATUS.DISCONNECTED;
  connection.authenticatedAt = null;
  // Half an answer must not be taken for the beginning of one on the next connection.
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = LENGTH_BYTES;
  socket?.destroy();
  requestQueue.rejectAll(
    new KafkaJSConnectionClosedError('the connection was dropped: the broker did not answer in time', {
      host,
      port,
    }),
  );
  requestQueue.destroy();
}
