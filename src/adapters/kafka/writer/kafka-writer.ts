import { Worker } from 'node:worker_threads';
import type { Logger } from '../../../logger.ts';
import {
  type LaneProducer,
  type LaneTransport,
  type OutboundRecord,
  ProducerDisconnected,
  RecordRefused,
  type RecordSink,
  type Settlement,
  type TopicPartition,
} from '../../../ports.ts';
import type { KafkaSettings } from '../kafka-client.ts';
import { packRecords } from './pack-records.ts';
import type {
  PlainError,
  WriterCallName,
  WriterCalls,
  WriterMessage,
  WriterRequest,
  WriterSettings,
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

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/**
 * Everything that is written to Kafka, in a thread of its own: under load the service's event loop serves thousands of
 * streams in each of its turns, and a transaction would wait for five of them. Here it waits for two: to be handed
 * over, and to be told.
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
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private closed = false;
  private death: Error | null = null;

  private constructor(thread: WriterThread, clusterId: string) {
    this.thread = thread;
    this.transport = {
      clusterId,
      holds: (memberId, partition) => this.ask('holds', { memberId, partition }),
      fence: async (partition) => this.producer(await this.ask('fence', { partition })),
      committedPosition: (partition: TopicPartition) => this.ask('committedPosition', { partition }),
      topicId: (topic) => this.ask('topicId', { topic }),
    };
    this.sink = {
      send: (records) => this.askWithRecords('send', {}, records),
      close: () => this.ask('closeSink', {}),
    };
  }

  /**
   * @param outputs topics that lanes write to (`KafkaLaneTransport.connect`)
   * @param onCrash the thread has died and with it every connection; the process must end
   * @throws what kept it from connecting
   */
  static connect(
    settings: KafkaSettings,
    outputs: readonly string[],
    logger: Logger,
    onCrash: (error: Error) => void,
    start: (settings: WriterSettings) => WriterThread = startThread,
  ): Promise<KafkaWriter> {
    const thread = start({ kafka: settings, outputs, logLevel: logger.level });
    return new Promise((resolve, reject) => {
      let writer: KafkaWriter | null = null;
      const died = (error: Error) => {
        if (writer === null) reject(error);
        else writer.died(error, onCrash);
      };
      thread.on('error', died);
      thread.on('exit', (code) => died(new Error(`the thread that writes to Kafka ended with ${code}`)));
      thread.on('message', (message) => {
        if (message.kind === 'log') relay(message.line, logger);
        else if (message.kind === 'ready') {
          writer = new KafkaWriter(thread, message.clusterId);
          resolve(writer);
        } else if (message.kind === 'failed') {
          reject(asError(message.error));
          void thread.terminate();
        } else writer?.answered(message);
      });
    });
  }

  /** Closes the connections and ends the thread. */
  async close(): Promise<void> {
    if (this.death === null) await this.ask('closeTransport', {}).catch(() => undefined);
    this.closed = true;
    await this.thread.terminate();
  }

  private producer(producer: number): LaneProducer {
    return {
      settle: ({ records, ...settlement }: Settlement) =>
        this.askWithRecords('settle', { producer, ...settlement }, records),
      close: () => this.ask('closeProducer', { producer }).catch(() => undefined),
    };
  }

  private askWithRecords<Name extends 'settle' | 'send'>(
    call: Name,
    given: Omit<WriterCalls[Name]['takes'], 'records'>,
    records: readonly OutboundRecord[],
  ): Promise<WriterCalls[Name]['gives']> {
    const packed = packRecords(records);
    return this.ask(call, { ...given, records: packed } as WriterCalls[Name]['takes'], [packed.bytes]);
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

  private answered(message: Extract<WriterMessage, { kind: 'answer' | 'refusal' }>): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.kind === 'answer') waiting?.resolve(message.result);
    else waiting?.reject(asError(message.error));
  }

  private died(error: Error, onCrash: (error: Error) => void): void {
    if (this.death !== null) return;
    this.death = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    if (!this.closed) onCrash(error);
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
