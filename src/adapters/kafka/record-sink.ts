import { setTimeout as wait } from 'node:timers/promises';
import kafkajs, { type Producer } from 'kafkajs';
import type { Logger } from '../../logger.ts';
import type { OutboundRecord, RecordSink } from '../../ports.ts';
import { createKafka, type KafkaSettings, NO_RETRIES } from './kafka-client.ts';
import { mapOutbound } from './map-record.ts';

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

/**
 * Writes records outside any transaction, at least once and in order: one send at a time, and after an error the
 * identical records again. An idempotent producer would lose acknowledged records through kafkajs's retries.
 */
export class KafkaRecordSink implements RecordSink {
  private readonly producer: Producer;
  private readonly logger: Logger;
  private readonly closing = new AbortController();

  private constructor(producer: Producer, logger: Logger) {
    this.producer = producer;
    this.logger = logger;
  }

  static async connect(settings: KafkaSettings, logger: Logger): Promise<KafkaRecordSink> {
    const producer = createKafka(settings, logger, NO_RETRIES).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      idempotent: false,
      maxInFlightRequests: 1,
      retry: NO_RETRIES,
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
    });
    await producer.connect();
    return new KafkaRecordSink(producer, logger);
  }

  /** Rejects only when the sink was closed meanwhile. */
  async send(records: readonly OutboundRecord[]): Promise<void> {
    if (records.length === 0) return;
    const topicMessages = mapOutbound(records);
    for (let tries = 0; ; tries += 1) {
      this.closing.signal.throwIfAborted();
      try {
        await this.producer.sendBatch({ acks: -1, topicMessages });
        return;
      } catch (error) {
        this.logger.warn(
          { err: error, records: records.length, tries },
          'chunks could not be written; trying again',
        );
        const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries, 10));
        await wait(delayMs, undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('the record sink was closed'));
    await this.producer.disconnect();
  }
}
