import { Worker } from 'node:worker_threads';
import {
  type LaneProducer,
  type LaneTransport,
  type OutboundRecord,
  ProducerDisconnected,
  type RecordBatch,
  RecordRefused,
  type RecordSink,
  type Settlement,
  type TopicFacts,
  type TopicPartition,
} from '../../../ports/kafka.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { KafkaSettings } from '../kafkajs/kafka-client.ts';
import { partitionOfKey } from '../produce/partition-of-key.ts';
import type { OnWritten } from '../produce/partition-writer.ts';
import { type PackedRecords, packRecords } from './pack-records.ts';
import type {
  PlainError,
  WriterCallName,
  WriterCalls,
  WriterMessage,
  WriterRequest,
  WriterSettings,
  WrittenBatch,
} from './writer-protocol.ts';

/** The thread's file lies beside this one, as a source or as built. */
const WORKER = new URL(`./writer-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** What is used of a worker thread. */
export interface WriterThread {
  postMessage(request: WriterRequest, transfer: ArrayBuffer[]): void;
  on(event: 'message', listener: (message: WriterMessage) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  terminate(): Promise<unknown>;
}

/** How often the thread is checked for an answer. */
const PING_MS = 1_000;

/** What the thread writes to, and who hears of it. */
export interface KafkaWriterOptions {
  /** Topics that lanes write to (`KafkaLaneTransport.connect`). */
  readonly outputs: readonly string[];
  /** Topics that the sink writes to. */
  readonly sinkTopics: readonly string[];
  /** The thread has died and with it every connection; the process must end. */
  readonly onCrash: (error: Error) => void;
  /** Records of a partition were not written. They are retried or refused. */
  readonly onWriteFailed?: (errorType: string) => void;
}

interface Writing {
  readonly batch: RecordBatch;
  readonly onWritten: OnWritten;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/**
 * Writes everything to Kafka from a worker thread. Under load, the main event loop serves thousands of streams in each turn,
 * and a transaction there would wait for five turns. With the thread it waits for two: to hand over the records, and to
 * receive the result.
 *
 *   starting ──ready──► running ──close()──► closed
 *      │ failed            │ the thread died: `onCrash`, every call rejects
 *      ▼                   ▼
 *   connect() rejects    dead
 */
export class KafkaWriter {
  readonly transport: LaneTransport;
  readonly sink: RecordSink;
  private readonly thread: WriterThread;
  private readonly options: KafkaWriterOptions;
  private readonly waiting = new Map<number, Waiting>();
  private readonly writing = new Map<number, Writing>();
  private topics: ReadonlyMap<string, TopicFacts>;
  private readonly pings: NodeJS.Timeout;
  private pingedAt: number | null = null;
  private lastId = 0;
  private closed = false;
  private death: Error | null = null;

  private constructor(
    thread: WriterThread,
    clusterId: string,
    topics: readonly TopicFacts[],
    options: KafkaWriterOptions,
  ) {
    this.thread = thread;
    this.options = options;
    this.topics = byName(topics);
    this.transport = {
      clusterId,
      holds: (memberId, partition) => this.ask('holds', { memberId, partition }),
      fence: async (partition, heldBy) => this.producer(await this.ask('fence', { partition, heldBy })),
      committedPosition: (partition: TopicPartition) => this.ask('committedPosition', { partition }),
      topicId: (topic) => this.ask('topicId', { topic }),
    };
    this.sink = {
      partitionOf: (topic, key) => partitionOfKey(key, Math.max(1, this.factsOf(topic).partitions)),
      partitionsOf: (topic) => this.factsOf(topic).partitions,
      maxBatchBytes: (topic) => this.factsOf(topic).maxBatchBytes,
      write: (batches, onWritten) => this.write(batches, onWritten),
      close: () => this.ask('closeSink', {}),
    };
    this.pings = setInterval(() => this.ping(), PING_MS).unref();
  }

  /** @throws what kept it from connecting */
  static connect(
    settings: KafkaSettings,
    logger: Logger,
    options: KafkaWriterOptions,
    start: (settings: WriterSettings) => WriterThread = startThread,
  ): Promise<KafkaWriter> {
    const { outputs, sinkTopics } = options;
    const thread = start({ kafka: settings, outputs, sinkTopics, logLevel: logger.level });
    return new Promise((resolve, reject) => {
      let writer: KafkaWriter | null = null;
      const died = (error: Error) => {
        if (writer === null) reject(error);
        else writer.died(error);
      };
      thread.on('error', died);
      thread.on('exit', (code) => died(new Error(`the thread that writes to Kafka ended with ${code}`)));
      thread.on('message', (message) => {
        if (message.kind === 'log') relay(message.line, logger);
        else if (message.kind === 'ready') {
          writer = new KafkaWriter(thread, message.clusterId, message.topics, options);
          resolve(writer);
        } else if (message.kind === 'failed') {
          reject(asError(message.error));
          void thread.terminate();
        } else writer?.received(message);
      });
    });
  }

  /** How long the thread has not answered the last check; 0 if it has. */
  unansweredMs(): number {
    return this.pingedAt === null ? 0 : performance.now() - this.pingedAt;
  }

  /** Closes the connections and ends the thread. */
  async close(): Promise<void> {
    if (this.death === null) await this.ask('closeTransport', {}).catch(() => undefined);
    this.closed = true;
    clearInterval(this.pings);
    await this.thread.terminate();
  }

  private producer(producer: number): LaneProducer {
    return {
      settle: async ({ records, ...settlement }: Settlement) => {
        const packed = packOrRefuse(records);
        return this.ask('settle', { producer, ...settlement, records: packed }, [packed.bytes]);
      },
      close: () => this.ask('closeProducer', { producer }).catch(() => undefined),
    };
  }

  private write(batches: readonly RecordBatch[], onWritten: OnWritten): void {
    if (this.death !== null || batches.length === 0) return;
    const packed = packRecords(batches.flatMap(({ records }) => records));
    const toWrite = batches.map((batch) => {
      this.lastId += 1;
      this.writing.set(this.lastId, { batch, onWritten });
      const { topic, partition, records } = batch;
      return { id: this.lastId, topic, partition, count: records.length };
    });
    this.thread.postMessage({ call: 'write', batches: toWrite, records: packed }, [packed.bytes]);
  }

  private written(batches: readonly WrittenBatch[]): void {
    for (const { id, refused } of batches) {
      const writing = this.writing.get(id);
      this.writing.delete(id);
      writing?.onWritten(writing.batch, refused);
    }
  }

  private factsOf(topic: string): TopicFacts {
    const facts = this.topics.get(topic);
    if (facts === undefined) throw new TypeError(`${topic} is not one of the sink's topics`);
    return facts;
  }

  private ping(): void {
    if (this.pingedAt !== null) return;
    this.pingedAt = performance.now();
    const answered = () => {
      this.pingedAt = null;
    };
    // A thread that has died is reported by `onCrash`.
    this.ask('ping', {}).then(answered, () => undefined);
  }

  private ask<Name extends WriterCallName>(
    call: Name,
    given: WriterCalls[Name]['takes'],
    transfer: ArrayBuffer[] = [],
  ): Promise<WriterCalls[Name]['gives']> {
    if (this.death !== null) return Promise.reject(this.death);
    const { promise, resolve, reject } = Promise.withResolvers<WriterCalls[Name]['gives']>();
    this.lastId += 1;
    this.waiting.set(this.lastId, { resolve: resolve as Waiting['resolve'], reject });
    this.thread.postMessage({ call, id: this.lastId, with: given } as WriterRequest, transfer);
    return promise;
  }

  private received(message: WriterMessage): void {
    if (message.kind === 'written') this.written(message.batches);
    else if (message.kind === 'topics') this.topics = byName(message.topics);
    else if (message.kind === 'writeFailed') this.options.onWriteFailed?.(message.errorType);
    else if (message.kind === 'answer' || message.kind === 'refusal') this.answered(message);
  }

  private answered(message: Extract<WriterMessage, { kind: 'answer' | 'refusal' }>): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.kind === 'answer') waiting?.resolve(message.result);
    else waiting?.reject(asError(message.error));
  }

  private died(error: Error): void {
    if (this.death !== null) return;
    this.death = error;
    clearInterval(this.pings);
    this.writing.clear();
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    if (!this.closed) this.options.onCrash(error);
  }
}

function byName(topics: readonly TopicFacts[]): Map<string, TopicFacts> {
  return new Map(topics.map((facts) => [facts.topic, facts]));
}

/** A record that cannot be packed fails the same way each time. */
function packOrRefuse(records: readonly OutboundRecord[]): PackedRecords {
  try {
    return packRecords(records);
  } catch (error) {
    throw new RecordRefused('a record cannot be packed', { cause: error });
  }
}

function startThread(settings: WriterSettings): WriterThread {
  return new Worker(WORKER, { workerData: settings });
}

const PORT_ERRORS = { RecordRefused, ProducerDisconnected };

function asError({ name, message, stack, portError }: PlainError): Error {
  const error =
    portError === null ? Object.assign(new Error(message), { name }) : new PORT_ERRORS[portError](message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** A line of the thread's log becomes one of the service's, with its level. */
function relay(line: string, logger: Logger): void {
  const { level, time: _time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  logger[level as 'info'](fields, String(msg));
}
