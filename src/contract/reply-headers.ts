/** Headers of a request that say where its chunks and a copy of its response go. */
export const REPLY_HEADERS = {
  topic: 'reply-topic',
  partition: 'reply-partition',
  /** Names the reader. It is repeated in every record for the reader, so that others drop the record before decoding. */
  client: 'reply-client',
  /** The caller's own mark: repeated in every record. */
  correlation: 'correlation-id',
} as const;

/** The names that Spring's `ReplyingKafkaTemplate` uses. Its partition is a 32-bit number, big-endian. */
export const SPRING_REPLY_HEADERS = {
  topic: 'kafka_replyTopic',
  partition: 'kafka_replyPartition',
  correlation: 'kafka_correlationId',
} as const;
