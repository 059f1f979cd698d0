import type { CommittedPosition, TopicPartition } from '../../../ports.ts';
import type { KafkaSettings } from '../kafka-client.ts';
import type { PackedRecords } from './pack-records.ts';

/** What the thread is started with. */
export interface WriterSettings {
  readonly kafka: KafkaSettings;
  /** Topics that lanes write to (`KafkaLaneTransport.connect`). */
  readonly outputs: readonly string[];
  readonly logLevel: string;
}

/** What the service asks of the thread: a name, what goes with it, and what comes back. */
export interface WriterCalls {
  holds: { takes: { readonly memberId: string; readonly partition: TopicPartition }; gives: boolean };
  /** Gives the number by which the fenced producer is asked. */
  fence: { takes: { readonly partition: TopicPartition }; gives: number };
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
  send: { takes: { readonly records: PackedRecords }; gives: undefined };
  closeSink: { takes: object; gives: undefined };
  closeTransport: { takes: object; gives: undefined };
}
export type WriterCallName = keyof WriterCalls;

/** One call, to be answered under its number. */
export type WriterRequest = {
  [Name in WriterCallName]: {
    readonly call: Name;
    readonly id: number;
    readonly with: WriterCalls[Name]['takes'];
  };
}[WriterCallName];

/** An error as it can be handed from thread to thread. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** An error that the port has a class for. */
  readonly portError: 'RecordRefused' | 'ProducerDisconnected' | null;
}

export type WriterMessage =
  /** Both parts are connected; nothing is asked before. */
  | { readonly kind: 'ready'; readonly clusterId: string }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'answer'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError }
  /** One line of the thread's log, as JSON. */
  | { readonly kind: 'log'; readonly line: string };
