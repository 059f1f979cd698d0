import type { OutboundRecord } from '../../ports/kafka.ts';
import type { ReplyAddress } from '../intake/reply-address.ts';

/** The request for a copy of a response. */
export interface ReplyRequest {
  readonly address: ReplyAddress;
  readonly requestId: string;
  readonly tenantId: string;
}

/**
 * The copy of the settled response, in the form that the brokers accepted. Null if no response was settled.
 *
 * @param settled the records of the outcome
 */
export function replyRecord(
  { address, requestId }: ReplyRequest,
  settled: readonly OutboundRecord[],
  responseTopic: string,
): OutboundRecord | null {
  const response = settled.find(({ topic }) => topic === responseTopic);
  if (response === undefined) return null;
  const { topic, partition, headers } = address;
  return {
    topic,
    ...(partition !== null && { partition }),
    key: requestId,
    value: response.value,
    headers: Object.assign(Object.create(null), response.headers, headers),
  };
}
