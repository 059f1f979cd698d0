import { once } from 'node:events';
import { connect } from 'node:net';

const LIST_OFFSETS = 2;
const VERSION = 2;
const LATEST = -1n;

/**
 * Returns the partitions of a topic that hold records of an open transaction. Their last stable offset is below their
 * high watermark. Only the leader knows this, so ask a cluster of one broker.
 *
 * @param broker host:port
 */
export async function openTransactions(
  broker: string,
  topic: string,
  partitions: readonly number[],
): Promise<number[]> {
  const [host = '', port = ''] = broker.split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  try {
    socket.write(listOffsets(topic, partitions, 0));
    const highWatermarks = readOffsets(await readFrame(socket));
    socket.write(listOffsets(topic, partitions, 1));
    const stable = readOffsets(await readFrame(socket));
    // Read second, so that a transaction that ends in between does not look open.
    return partitions.filter(
      (partition) => (stable.get(partition) ?? 0n) < (highWatermarks.get(partition) ?? 0n),
    );
  } finally {
    socket.destroy();
  }
}

/** ListOffsets, version 2 (https://kafka.apache.org/protocol): isolation 1 asks for the last stable offset. */
function listOffsets(topic: string, partitions: readonly number[], isolation: 0 | 1): Buffer {
  const head = Buffer.alloc(14);
  head.writeInt16BE(LIST_OFFSETS, 4);
  head.writeInt16BE(VERSION, 6);
  head.writeInt32BE(1, 8);
  head.writeInt16BE(-1, 12);
  const body = Buffer.alloc(4 + 1 + 4);
  body.writeInt32BE(-1, 0);
  body.writeInt8(isolation, 4);
  body.writeInt32BE(1, 5);
  const name = Buffer.from(topic);
  const nameSize = Buffer.alloc(2);
  nameSize.writeInt16BE(name.length);
  const list = Buffer.alloc(4 + 12 * partitions.length);
  list.writeInt32BE(partitions.length, 0);
  for (const [index, partition] of partitions.entries()) {
    list.writeInt32BE(partition, 4 + 12 * index);
    list.writeBigInt64BE(LATEST, 8 + 12 * index);
  }
  const request = Buffer.concat([head, body, nameSize, name, list]);
  request.writeInt32BE(request.length - 4, 0);
  return request;
}

async function readFrame(socket: NodeJS.ReadableStream): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < 4 || received.length < 4 + received.readInt32BE(0)) {
    const [data] = (await once(socket, 'data')) as [Buffer];
    received = Buffer.concat([received, data]);
  }
  return received.subarray(4);
}

/** Correlation id, throttle time, then topics with partitions: number, error, timestamp, offset. */
function readOffsets(response: Buffer): Map<number, bigint> {
  const offsets = new Map<number, bigint>();
  let at = 4 + 4 + 4;
  at += 2 + response.readInt16BE(at);
  const count = response.readInt32BE(at);
  at += 4;
  for (let index = 0; index < count; index += 1, at += 22) {
    offsets.set(response.readInt32BE(at), response.readBigInt64BE(at + 14));
  }
  return offsets;
}
