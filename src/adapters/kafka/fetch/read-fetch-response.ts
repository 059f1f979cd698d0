import { readOffset } from './batch-header.ts';
import type { BatchReading } from './read-batch.ts';
import { type AbortedTransaction, readPartition } from './read-partition.ts';
import type { FetchedMessage } from './record-reader.ts';
import { FetchTotals, TakenRecords } from './taken-records.ts';

/** As kafkajs's decoders give it. */
export interface FetchResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime?: number;
  readonly errorCode?: number;
  readonly sessionId?: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: FetchedPartition[] }[];
}

interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset?: string;
  /** Always empty: they are left out here. */
  readonly abortedTransactions: readonly [];
  readonly preferredReadReplica?: number;
  readonly messages: readonly FetchedMessage[];
}

/** By the messages of a partition: what kafkajs makes of an answer keeps these alone. */
const logStarts = new WeakMap<readonly object[], number>();

/** @returns the oldest offset of the log that these messages were fetched from; 0 when the broker did not tell */
export function logStartOf(messages: readonly object[]): number {
  return logStarts.get(messages) ?? 0;
}

/** The offset that was asked for. */
export type FetchOffsetOf = (topic: string, partition: number) => number;

/**
 * Reads a broker's answer to a fetch, versions 4 to 11.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_Fetch
 */
export async function readFetchResponse(
  payload: Buffer,
  version: number,
  fetchOffsetOf: FetchOffsetOf,
  reading: BatchReading,
): Promise<FetchResponse> {
  const fields = new Fields(payload);
  const throttle = fields.int32();
  const session = version >= 7 ? { errorCode: fields.int16(), sessionId: fields.int32() } : {};
  const totals = new FetchTotals();
  const responses: { topicName: string; partitions: FetchedPartition[] }[] = [];
  for (let topics = fields.int32(); topics > 0; topics -= 1) {
    const topicName = fields.text();
    const partitions: FetchedPartition[] = [];
    for (let left = fields.int32(); left > 0; left -= 1) {
      const partition = fields.int32();
      const errorCode = fields.int16();
      const highWatermark = fields.int64();
      const lastStableOffset = fields.int64();
      const logStart = version >= 5 ? fields.int64() : 0;
      const aborted = fields.aborted();
      const replica = version >= 11 ? { preferredReadReplica: fields.int32() } : {};
      const bytes = fields.bytes();
      const taken = new TakenRecords(fetchOffsetOf(topicName, partition), totals);
      await readPartition({ bytes, highWatermark, aborted }, taken, reading);
      logStarts.set(taken.messages, logStart);
      partitions.push({
        partition,
        errorCode,
        highWatermark: String(highWatermark),
        lastStableOffset: String(lastStableOffset),
        ...(version >= 5 && { lastStartOffset: String(logStart) }),
        abortedTransactions: [],
        ...replica,
        messages: taken.messages,
      });
    }
    responses.push({ topicName, partitions });
  }
  // From version 8 on the broker does not throttle: the client has to.
  const throttling =
    version >= 8 ? { throttleTime: 0, clientSideThrottleTime: throttle } : { throttleTime: throttle };
  return { ...throttling, ...session, responses };
}

/** Kafka's basic types, one after the other. */
class Fields {
  private readonly payload: Buffer;
  private at = 0;

  constructor(payload: Buffer) {
    this.payload = payload;
  }

  int16(): number {
    this.at += 2;
    return this.payload.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.payload.readInt32BE(this.at - 4);
  }

  int64(): number {
    this.at += 8;
    return readOffset(this.payload, this.at - 8);
  }

  text(): string {
    const length = this.int16();
    this.at += length;
    return this.payload.toString('utf8', this.at - length, this.at);
  }

  bytes(): Buffer {
    const length = Math.max(0, this.int32());
    this.at += length;
    return this.payload.subarray(this.at - length, this.at);
  }

  aborted(): AbortedTransaction[] {
    const aborted: AbortedTransaction[] = [];
    for (let left = this.int32(); left > 0; left -= 1) {
      const producerId = this.payload.readBigInt64BE(this.at);
      this.at += 8;
      aborted.push({ producerId, firstOffset: this.int64() });
    }
    return aborted;
  }
}
