import { mapMessage } from '../../../src/adapters/kafka/kafkajs/map-record.ts';
import { encodeRecord } from '../../../src/adapters/kafka/kafkajs/record-encoding.ts';
import { packRecords, unpackRecords } from '../../../src/adapters/kafka/writer/pack-records.ts';
import type { RecordName, RecordTypes } from '../../../src/contract/record-types.ts';
import { topicNames } from '../../../src/contract/topics.ts';
import type { OutboundRecord } from '../../../src/ports/kafka.ts';
import { codec } from '../generate/other-records.ts';
import { Finding } from './target.ts';

const topics = topicNames('chat');
const recordOf: Readonly<Record<string, RecordName>> = {
  [topics.responses]: 'ChatResponse',
  [topics.responseGenerated]: 'ResponseGenerated',
  [topics.costs]: 'CostCalculated',
  [topics.chunks]: 'ChatChunk',
  [topics.messageSent]: 'MessageSent',
};
/** The default `max.message.bytes` of a topic. */
const MESSAGE_MAX_BYTES = 1_048_588;
const LAST_FORM_MAX_BYTES = 65_536;

/** Encodes every event as the writer does and reads it as consumers do. Checks only the form of dead letters. */
export function readEvents(records: readonly OutboundRecord[]): Decoded[] {
  return written(records).flatMap(({ record, bytes }) => {
    // A dead letter that is too large loses its value (`checkLastForm`).
    if (bytes > MESSAGE_MAX_BYTES && record.topic !== topics.dead)
      throw new Finding('record too large', `${bytes} bytes for ${record.topic}`);
    const name = recordOf[record.topic];
    if (name === undefined) return [];
    try {
      return [{ name, record: codec.decode(name, record.value).record }];
    } catch (cause) {
      throw new Finding('unreadable output', `${name}: ${String(cause)}`, { cause });
    }
  });
}

export interface Decoded {
  readonly name: RecordName;
  readonly record: RecordTypes[RecordName];
}

/**
 * Checks the single outcome of a valid or invalid request: a response with its events, or a dead letter.
 *
 * @param mayGiveUp whether the service may have given up on it
 */
export function checkOutcome(
  records: readonly OutboundRecord[],
  mayGiveUp = false,
): RecordTypes['ChatResponse'] | null {
  const events = readEvents(records);
  const responses = events.filter(({ name }) => name === 'ChatResponse');
  const dead = records.filter(({ topic }) => topic === topics.dead);
  if (responses.length + dead.length !== 1)
    throw new Finding('not one outcome', `${responses.length} responses and ${dead.length} dead letters`);
  const [response] = responses as { record: RecordTypes['ChatResponse'] }[];
  if (response === undefined) return null;
  const costs = events.filter(({ name }) => name === 'CostCalculated') as {
    record: RecordTypes['CostCalculated'];
  }[];
  // Only the original has a bill.
  const named = response.record.replayed ? null : response.record.costEventId;
  if (costs.length > 1 || (costs[0]?.record.eventId ?? null) !== named)
    throw new Finding('not its bill', `the response names ${named}, ${costs.length} bills are there`);
  if (response.record.error?.code === 'internal' && !mayGiveUp)
    throw new Finding('internal failure', `the response says ${response.record.error.message}`);
  return response.record;
}

/** The last form is published when a broker refuses all others, so no topic may refuse it for its size. */
export function checkLastForm(records: readonly OutboundRecord[]): void {
  readEvents(records);
  for (const { record, bytes } of written(records))
    if (bytes > LAST_FORM_MAX_BYTES)
      throw new Finding('last form too large', `${bytes} bytes for ${record.topic}`);
}

function written(records: readonly OutboundRecord[]) {
  try {
    return unpackRecords(packRecords(records)).map((record) => ({
      record,
      bytes: encodeRecord(mapMessage(record)).buf.length,
    }));
  } catch (cause) {
    const names = records.map(({ topic }) => topic).join(', ');
    throw new Finding('output cannot be encoded', `${names}: ${String(cause)}`, { cause });
  }
}
