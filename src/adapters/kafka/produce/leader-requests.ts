import type { BrokerConnections, ConnectionLane } from './broker-connections.ts';
import type { PartitionWriter } from './partition-writer.ts';
import { type EncodedBatch, encodeBatch, produce } from './produce-request.ts';
import { recordClock } from './record-clock.ts';

/** Of one request: brokers close connections that send more than 100 MiB at once. */
const REQUEST_MAX_BYTES = 16 * 1024 * 1024;
/** The broker's code of INVALID_TIMESTAMP. */
const WRONG_TIME = 32;

/** The result of one partition's part of a request. */
export interface LeaderListener {
  /** The broker's error code for the partition: 0 when its records are written, null when the answer leaves it out. */
  answered(writer: PartitionWriter, errorCode: number | null, bytes: number): void;
  /** The records cannot be encoded. */
  unencodable(writer: PartitionWriter): void;
  /** There was no answer: whether the records are written is in doubt. */
  lost(writer: PartitionWriter, error: unknown): void;
}

/** Requests to one leader over one connection: one at a time, each with every partition that has records by then. */
export class LeaderRequests {
  private readonly connections: BrokerConnections;
  private readonly nodeId: number;
  private readonly lane: ConnectionLane;
  private readonly timeoutMs: number;
  private readonly listener: LeaderListener;
  private waiting: PartitionWriter[] = [];
  private isRunning = false;

  /** @param timeoutMs how long the leader waits for its replicas */
  constructor(
    connections: BrokerConnections,
    nodeId: number,
    lane: ConnectionLane,
    timeoutMs: number,
    listener: LeaderListener,
  ) {
    this.connections = connections;
    this.nodeId = nodeId;
    this.lane = lane;
    this.timeoutMs = timeoutMs;
    this.listener = listener;
  }

  push(writer: PartitionWriter): void {
    this.waiting.push(writer);
    if (this.isRunning) return;
    this.isRunning = true;
    // The request includes everything else that is written in this turn of the event loop.
    queueMicrotask(() => void this.run());
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) await this.request();
    this.isRunning = false;
  }

  private async request(): Promise<void> {
    const sent = new Map<PartitionWriter, EncodedBatch>();
    const correctionMs = recordClock.correctionMs();
    let bytes = 0;
    while (this.waiting.length > 0 && (bytes === 0 || bytes < REQUEST_MAX_BYTES)) {
      const writer = this.waiting.shift() as PartitionWriter;
      try {
        const batch = await encodeBatch(writer, writer.current(), Date.now() + correctionMs);
        sent.set(writer, batch);
        bytes += batch.bytes;
      } catch {
        this.listener.unencodable(writer);
      }
    }
    if (sent.size === 0) return;
    try {
      const codes = await this.send([...sent.values()]);
      if ([...codes.values()].includes(WRONG_TIME)) recordClock.refused(correctionMs);
      for (const [writer, batch] of sent)
        this.listener.answered(writer, codes.get(`${writer.topic}/${writer.partition}`) ?? null, batch.bytes);
    } catch (error) {
      for (const writer of sent.keys()) this.listener.lost(writer, error);
    }
  }

  private async send(batches: readonly EncodedBatch[]): Promise<Map<string, number>> {
    const broker = await this.connections.broker(this.nodeId, this.lane);
    try {
      return await produce(broker, batches, this.timeoutMs);
    } catch (error) {
      this.connections.dropBroker(this.nodeId, this.lane, broker);
      throw error;
    }
  }
}
