import { once } from 'node:events';
import { connect } from 'node:net';

const PRODUCE = 0;
/** The oldest version that takes zstd. */
const VERSION = 7;

/**
 * Sends a record batch to the leader of a partition as it is, whatever a client would say to it.
 *
 * @throws when the broker refuses it, with the number of Kafka's error
 */
export async function publishBatch(
  broker: string,
  topic: string,
  partition: number,
  batch: Buffer,
): Promise<void> {
  const [host = '', port = ''] = broker.split(':');
  const socket = connect(Number(port), host);
  try {
    await once(socket, 'connect');
    socket.write(produceRequest(topic, partition, batch));
    const errorCode = readErrorCode(await readAnswer(socket), topic);
    if (errorCode !== 0) throw new Error(`the broker refuses the batch: error ${errorCode}`);
  } finally {
    socket.destroy();
  }
}

function produceRequest(topic: string, partition: number, batch: Buffer): Buffer {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(14 + 2 + 2 + 4 + 4 + 2 + name.length + 4 + 4 + 4);
  let at = head.writeInt32BE(head.length - 4 + batch.length, 0);
  at = head.writeInt16BE(PRODUCE, at);
  at = head.writeInt16BE(VERSION, at);
  at = head.writeInt32BE(1, at);
  // No client id, no transaction.
  at = head.writeInt16BE(-1, at);
  at = head.writeInt16BE(-1, at);
  // All replicas, within 30 s.
  at = head.writeInt16BE(-1, at);
  at = head.writeInt32BE(30_000, at);
  at = head.writeInt32BE(1, at);
  at = head.writeInt16BE(name.length, at);
  at += name.copy(head, at);
  at = head.writeInt32BE(1, at);
  at = head.writeInt32BE(partition, at);
  head.writeInt32BE(batch.length, at);
  return Buffer.concat([head, batch]);
}

async function readAnswer(socket: ReturnType<typeof connect>): Promise<Buffer> {
  let answer = Buffer.alloc(0);
  for await (const piece of socket) {
    answer = Buffer.concat([answer, piece as Buffer]);
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) return answer;
  }
  throw new Error('the broker closed the connection without an answer');
}

/** Size, correlation id, number of topics, the topic's name, number of partitions, partition. */
function readErrorCode(answer: Buffer, topic: string): number {
  return answer.readInt16BE(4 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4);
}
