import type { KafkaSettings } from '../../../src/adapters/kafka/kafkajs/kafka-client.ts';
import type { TopicNames } from '../../../src/contract/topics.ts';

/** A child's plan, passed as JSON in its argument. */
export interface Plans {
  driver: DriverPlan;
  'usual-loop': UsualLoopPlan;
  'sdk-loop': ClientLoopPlan;
  'undici-loop': ClientLoopPlan;
  'token-reader': TokenReaderPlan;
  'plain-producer': PlainProducerPlan;
}

/** Publishes requests and counts responses. */
export interface DriverPlan {
  readonly kafka: KafkaSettings;
  readonly topics: TopicNames;
  readonly keys: number;
  /** Unique among the drivers of the same topics. Drivers with the same keys would wait for each other, because keys keep their order. */
  readonly keyPrefix: string;
  /** Closed loop: this many requests are always unanswered. Each answer releases the next request of its key. */
  readonly outstanding: number;
  /** Time over which the first requests are spread, so that their tokens are not in step. */
  readonly rampMs: number;
  /** Published at once before the driver is ready, by key in turn; the closed loop is left out then. */
  readonly backlog: number;
  /** One request's value, base64; the digits of its id are at `idAt`. */
  readonly template: string;
  readonly idAt: number;
  /** Whether responses are the service's, so that their times can be read. */
  readonly decodes: boolean;
}

/** What arrived between `begin` and `end`. */
export interface DriverWindow {
  readonly responses: number;
  readonly elapsedMs: number;
  readonly failed: number;
  /** From publishing a request to reading its response. */
  readonly requestMs: Percentiles | null;
  /** From the outcome's decision (`createdAt`) to reading it: ledger, settling and the reader's fetch. */
  readonly decidedToReadMs: Percentiles | null;
}

export interface UsualLoopPlan {
  readonly kafka: KafkaSettings;
  readonly topics: TopicNames;
  readonly partitions: number;
  readonly baseUrl: string;
}

export interface ClientLoopPlan {
  readonly baseUrl: string;
  readonly concurrency: number;
}

export interface ClientLoopWindow {
  readonly responses: number;
  readonly elapsedMs: number;
}

/** Reads stamped tokens and takes the time from the stamp to the reading. */
export interface TokenReaderPlan {
  readonly kafka: KafkaSettings;
  readonly topic: string;
  /** `chunk`: tokens are the text of ChatChunk records; `plain`: of the value itself. */
  readonly form: 'chunk' | 'plain';
}

export interface TokenReaderWindow {
  readonly tokens: number;
  readonly records: number;
  readonly elapsedMs: number;
  readonly latencyMs: Percentiles | null;
}

/** Produces stamped messages at the pace of as many streams, with kafkajs alone. */
export interface PlainProducerPlan {
  readonly kafka: KafkaSettings;
  readonly topic: string;
  readonly streams: number;
  readonly gapMs: number;
  readonly valueBytes: number;
  /**
   * `grouped`: one send at a time, with all that came due meanwhile; `each`: every message in a send of its own, as soon
   * as it is due, without waiting for the others.
   */
  readonly sending: 'grouped' | 'each';
}

/** Milliseconds. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The request of the client loops; the service's is the same but for what it adds of its own. */
export const PROMPT = 'Say something about the weather in the mountains.';
export const MODEL = 'gpt-4';
