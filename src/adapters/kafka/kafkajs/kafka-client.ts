import kafkajs, { type Kafka, type KafkaConfig, type RetryOptions } from 'kafkajs';
import type { Config } from '../../../config/load-config.ts';
import { kafkaLogCreator, type Logger } from '../../../runtime/logger.ts';
import { registerCompressionCodecs } from './compression.ts';
import { installConsumerGroup } from './consumer-group.ts';
import { installFetchDecoding } from './install-fetch-decoding.ts';
import { installMetadata } from './metadata.ts';
import { installRecordEncoding } from './record-encoding.ts';
import { installRequestQueue } from './request-queue.ts';

export type KafkaSettings = Config['kafka'];

/** What a client that joins no group needs of them. */
export type KafkaConnection = Pick<
  KafkaSettings,
  'brokers' | 'clientId' | 'recordMaxBytes' | 'requestTimeoutMs' | 'ssl' | 'sasl'
>;

/** kafkajs retries nothing: the caller decides. See `LaneProducer` for what kafkajs's own retries do to a transaction. */
export const NO_RETRIES: RetryOptions = { retries: 0 };

/**
 * kafkajs chooses its defaults by NODE_ENV, so every value is given. For reading: joining a group and finding brokers may
 * be repeated as often as it takes.
 */
export const PATIENT_RETRIES: RetryOptions = {
  initialRetryTime: 100,
  maxRetryTime: 3_000,
  factor: 0.2,
  multiplier: 2,
  retries: 10,
};

/** A new kafkajs client: its own connections, its own retry rule. */
export function createKafka(settings: KafkaConnection, logger: Logger, retry: RetryOptions): Kafka {
  registerCompressionCodecs();
  installRecordEncoding();
  installFetchDecoding(settings.recordMaxBytes);
  installRequestQueue();
  installMetadata();
  installConsumerGroup();
  const config: KafkaConfig = {
    clientId: settings.clientId,
    brokers: [...settings.brokers],
    connectionTimeout: 3_000,
    requestTimeout: settings.requestTimeoutMs,
    enforceRequestTimeout: true,
    retry,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: kafkaLogCreator(logger),
  };
  if (settings.ssl !== null) {
    const { ca, cert, key } = settings.ssl;
    config.ssl = { ...(ca && { ca: [ca] }), ...(cert && { cert }), ...(key && { key }) };
  }
  if (settings.sasl !== null) {
    const { mechanism, username, password } = settings.sasl;
    // kafkajs types each mechanism apart although all three take the same.
    config.sasl = { mechanism: mechanism as 'plain', username, password };
  }
  return new kafkajs.Kafka(config);
}
