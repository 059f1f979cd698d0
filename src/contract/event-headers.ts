import type { RecordName } from './record-types.ts';

/** An event as its headers describe it. */
export interface EventHead {
  readonly name: RecordName;
  readonly eventId: string;
  /** Epoch ms. */
  readonly at: number;
}

/**
 * CloudEvents 1.0, Kafka protocol binding, binary mode.
 *
 * @param groupId names the service as the event's source
 */
export function eventHeaders(groupId: string, { name, eventId, at }: EventHead): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_id: eventId,
    ce_source: `/completion-bus/${encodeURIComponent(groupId)}`,
    ce_type: `completionbus.v1.${name}`,
    ce_time: new Date(at).toISOString(),
    'content-type': 'application/avro',
  };
}
