import type { Context } from '@opentelemetry/api';
import { eventHeaders } from '../../contract/event-headers.ts';
import type { RecordName } from '../../contract/record-types.ts';
import type { TopicNames, TopicRole } from '../../contract/topics.ts';
import type { InboundRecord, OutboundRecord, RecordHeaders } from '../../ports/kafka.ts';
import { injectContext } from '../../telemetry/spans.ts';
import type { EventValue } from './encode-outcome.ts';

const topicOf: Readonly<Partial<Record<RecordName, TopicRole>>> = {
  ChatResponse: 'responses',
  ResponseGenerated: 'responseGenerated',
  CostCalculated: 'costs',
  MessageSent: 'messageSent',
};

/** Of each header of the smallest dead letter: a topic's name takes up to 249, a reason seldom more than 200. */
const MINIMAL_HEADER_CHARACTERS = 256;

/** The record that an output answers. */
export interface OutputOrigin {
  readonly record: InboundRecord;
  /** The key if the record has none: the key that it is ordered by. */
  readonly orderKey: string;
  readonly trace: Context;
}

/** Turns events into Kafka records: topic, key, partition and CloudEvents headers. */
export class OutputRecords {
  readonly topics: TopicNames;
  readonly groupId: string;

  constructor(topics: TopicNames, groupId: string) {
    this.topics = topics;
    this.groupId = groupId;
  }

  /**
   * The record of an event that is settled with its input. It goes to the partition with the input's number, so that a stalled
   * transaction hides only records of its own partition.
   */
  settled(event: EventValue, origin: OutputOrigin): OutboundRecord {
    return { ...this.announced(event, origin), partition: origin.record.partition };
  }

  /** The record of an event outside any transaction. */
  announced(event: EventValue, { record, orderKey, trace }: OutputOrigin): OutboundRecord {
    const role = topicOf[event.name];
    if (role === undefined) throw new TypeError(`${event.name} is not published by the pipeline`);
    return {
      topic: this.topics[role],
      key: record.key ?? orderKey,
      value: event.value,
      headers: this.eventHeaders(event, trace),
    };
  }

  /** The dead letter of a record: its bytes and headers unchanged, and the reason. */
  dead(record: InboundRecord, reason: { readonly code: string; readonly message: string }): OutboundRecord {
    const headers: RecordHeaders = Object.assign(Object.create(null), record.headers);
    // A publisher may have sent a header of this name, about another record.
    delete headers['dead-value-omitted'];
    Object.assign(headers, {
      'dead-code': reason.code,
      'dead-message': reason.message,
      'dead-topic': record.topic,
      'dead-partition': String(record.partition),
      'dead-offset': String(record.offset),
    });
    if (record.unreadable !== undefined) headers['dead-value-omitted'] = 'unreadable';
    return {
      topic: this.topics.dead,
      partition: record.partition,
      key: record.key,
      value: record.value,
      headers,
    };
  }

  /** A dead letter that is too large for its topic, without its value. */
  deadWithoutValue(letter: OutboundRecord): OutboundRecord {
    const headers: RecordHeaders = Object.assign(Object.create(null), letter.headers);
    headers['dead-value-omitted'] = 'too large';
    return { ...letter, value: null, headers };
  }

  /** A dead letter that no topic refuses for its size and no encoder for its content: only the place and the reason. */
  deadMinimal({ topic, partition, headers: whole }: OutboundRecord): OutboundRecord {
    const headers: RecordHeaders = Object.create(null);
    for (const name of ['dead-code', 'dead-message', 'dead-topic', 'dead-partition', 'dead-offset']) {
      const text = whole[name];
      if (typeof text === 'string') headers[name] = text.slice(0, MINIMAL_HEADER_CHARACTERS);
    }
    headers['dead-value-omitted'] = 'too large';
    return { topic, ...(partition !== undefined && { partition }), key: null, value: null, headers };
  }

  private eventHeaders(event: EventValue, trace: Context): RecordHeaders {
    const headers: RecordHeaders = eventHeaders(this.groupId, event);
    injectContext(trace, headers);
    return headers;
  }
}
