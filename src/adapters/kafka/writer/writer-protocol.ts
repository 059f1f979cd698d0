import type { CommittedPosition, RefusedRecord, TopicFacts, TopicPartition } from '../../../ports/kafka.ts';
import type { KafkaSettings } from '../kafkajs/kafka-client.ts';
import type { PackedRecords } from './pack-records.ts';

/** What the thread is started with. */
export interface WriterSettings {
  readonly kafka: KafkaSettings;
  /** Topics that lanes write to (`KafkaLaneTransport.connect`). */
  readonly outputs: readonly string[];
  /** Topics that are written to outside transactions (`RecordSinkOptions.topics`). */
  readonly sinkTopics: readonly string[];
  readonly logLevel: string;
}

/** The calls of the thread: name, arguments and result. */
export interface WriterCalls {
  holds: { takes: { readonly memberId: string; readonly partition: TopicPartition }; gives: boolean };
  /** Returns the number that identifies the fenced producer in later calls. */
  fence: {
    takes: { readonly partition: TopicPartition; readonly heldBy: string | undefined };
    gives: number;
  };
  committedPosition: { takes: { readonly partition: TopicPartition }; gives: CommittedPosition };
  topicId: { takes: { readonly topic: string }; gives: string | null };
  settle: {
    takes: {
      readonly producer: number;
      readonly offset: number;
      readonly metadata: string;
      readonly topicId: string | null;
      readonly records: PackedRecords;
    };
    gives: number;
  };
  closeProducer: { takes: { readonly producer: number }; gives: undefined };
  /** Answered at once, which shows that the thread does not hang. */
  ping: { takes: object; gives: undefined };
  closeSink: { takes: object; gives: undefined };
  closeTransport: { takes: object; gives: undefined };
}
export type WriterCallName = keyof WriterCalls;

/** A batch of one partition, as part of a write. */
export interface BatchToWrite extends TopicPartition {
  /** Under which it is answered. */
  readonly id: number;
  /** How many of the records are its own. */
  readonly count: number;
}

/** Batches for the sink. The message itself has no answer: each batch is answered when it is written. */
export interface WriteRequest {
  readonly call: 'write';
  readonly batches: readonly BatchToWrite[];
  /** Those of the first batch, then those of the second, … */
  readonly records: PackedRecords;
}

/** One call, to be answered under its number. */
export type WriterCall = {
  [Name in WriterCallName]: {
    readonly call: Name;
    readonly id: number;
    readonly with: WriterCalls[Name]['takes'];
  };
}[WriterCallName];

export type WriterRequest = WriterCall | WriteRequest;

/** A batch is written, except for permanently refused records. */
export interface WrittenBatch {
  readonly id: number;
  readonly refused: readonly RefusedRecord[];
}

/** An error in a form that can be passed between threads. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** An error that the port has a class for. */
  readonly portError: 'RecordRefused' | 'ProducerDisconnected' | null;
}

export type WriterMessage =
  /** Both the lanes and the sink are connected. No call is made before. */
  | { readonly kind: 'ready'; readonly clusterId: string; readonly topics: readonly TopicFacts[] }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'answer'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError }
  /** In any order, several at once. */
  | { readonly kind: 'written'; readonly batches: readonly WrittenBatch[] }
  /** All of the sink's topics: one has changed. */
  | { readonly kind: 'topics'; readonly topics: readonly TopicFacts[] }
  /** Records of a partition were not written. They are retried or refused. */
  | { readonly kind: 'writeFailed'; readonly errorType: string }
  /** One line of the thread's log, as JSON. */
  | { readonly kind: 'log'; readonly line: string };
