import { createRequire } from 'node:module';
import type { TopicPartition } from '../../../ports/kafka.ts';
import { logStartOf } from '../fetch/read-fetch-response.ts';
import type { FetchedMessage } from '../fetch/record-reader.ts';
import type { Broker, Protocol } from '../kafkajs/broker.ts';
import { protocolVersion } from './protocol-version.ts';

/*
 * Fetch over kafkajs's connections, for partitions of the caller's choice. kafkajs's own request rejects as a whole when one
 * partition of it has an error, and cannot say which.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_Fetch
 */
const FETCH = 1;
const NEWEST_VERSION = 11;

/** The values of `isolation_level`. */
export const ISOLATION_LEVELS = { read_uncommitted: 0, read_committed: 1 } as const;
export type IsolationLevel = keyof typeof ISOLATION_LEVELS;

/** Where reading of a partition has come to. */
export interface FetchPosition extends TopicPartition {
  /** The next record's offset. */
  readonly offset: number;
}

export interface FetchLimits {
  readonly isolationLevel: IsolationLevel;
  /** How long the broker waits when there is nothing. */
  readonly maxWaitMs: number;
  /** Of the answer; a broker exceeds it for a first batch that is larger. */
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
}

/** What a broker answers of one partition. */
export interface FetchAnswer extends TopicPartition {
  /** 0 for none. */
  readonly errorCode: number;
  /** The offset after the last record that can be read. */
  readonly end: number;
  /** The oldest offset that the log still has. */
  readonly logStart: number;
  readonly messages: readonly FetchedMessage[];
}

interface WholeAnswer {
  readonly errorCode?: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly highWatermark: string;
      readonly lastStableOffset: string;
      readonly messages: readonly FetchedMessage[];
    }[];
  }[];
}

type CreateFetch = (options: {
  readonly isolationLevel: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
  readonly rackId: string;
}) => Protocol<WholeAnswer> & { readonly requestTimeout: number };

// The module, not its function: `installFetchDecoding` replaces that.
const kafkajsFetch: { protocol(of: { readonly version: number }): CreateFetch } = createRequire(
  import.meta.url,
)('kafkajs/src/protocol/requests/fetch/index.js');

/**
 * Asks the leader of these partitions for what comes at their positions, in their order.
 *
 * @throws what happened to the connection
 */
export async function fetchRecords(
  broker: Broker,
  positions: readonly FetchPosition[],
  { isolationLevel, maxWaitMs, maxBytes, maxBytesPerPartition }: FetchLimits,
): Promise<FetchAnswer[]> {
  const version = protocolVersion(broker, FETCH, NEWEST_VERSION);
  const { request, response, requestTimeout } = kafkajsFetch.protocol({ version })({
    isolationLevel: ISOLATION_LEVELS[isolationLevel],
    maxWaitTime: maxWaitMs,
    minBytes: 1,
    maxBytes,
    // A topic may be named several times, so that the order of the partitions is kept.
    topics: positions.map(({ topic, partition, offset }) => ({
      topic,
      partitions: [{ partition, fetchOffset: String(offset), maxBytes: maxBytesPerPartition }],
    })),
    rackId: '',
  });
  const { responses } = await broker.connectionPool.send<WholeAnswer>({
    request,
    response: { decode: response.decode, parse: async (answer) => answer },
    requestTimeout,
  });
  return responses.flatMap(({ topicName, partitions }) =>
    partitions.map(({ partition, errorCode, highWatermark, lastStableOffset, messages }) => ({
      topic: topicName,
      partition,
      errorCode,
      end: Number(isolationLevel === 'read_committed' ? lastStableOffset : highWatermark),
      logStart: logStartOf(messages),
      messages,
    })),
  );
}
