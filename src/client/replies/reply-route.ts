import { randomUUID } from 'node:crypto';
import { partitionOfKey } from '../../adapters/kafka/produce/partition-of-key.ts';
import { REPLY_HEADERS } from '../../contract/reply-headers.ts';
import type { RecordHeaders } from '../../ports/kafka.ts';

/** The one partition that a client reads: its requests name it, and the service answers there. */
export interface ReplyRoute {
  readonly partition: number;
  /** Names this client in every record for it: other clients may read the same partition. */
  readonly client: string;
  /** Of every request. */
  readonly headers: RecordHeaders;
}

/** @param partitions how many both topics have that are read */
export function chooseRoute(topic: string, partitions: number): ReplyRoute {
  const client = randomUUID();
  const partition = partitionOfKey(client, Math.max(1, partitions));
  return {
    partition,
    client,
    headers: {
      [REPLY_HEADERS.topic]: topic,
      [REPLY_HEADERS.partition]: String(partition),
      [REPLY_HEADERS.client]: client,
    },
  };
}
