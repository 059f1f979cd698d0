import type { RecordCodec } from '../../contract/codec.ts';
import type { ChatChunk, ChatResponse, CostCalculated } from '../../contract/record-types.ts';
import type { TopicNames } from '../../contract/topics.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import type { InboundRecord } from '../../ports/kafka.ts';

export interface ReplyHandlers {
  chunk(chunk: ChatChunk): void;
  response(response: ChatResponse): void;
  cost(cost: CostCalculated): void;
}

/**
 * Hands over the records of one request, and skips all others. Its id is new, so no other tenant has it. Records that are not the
 * service's are skipped too, since other programs may write to these topics.
 */
export function readReply(
  topics: TopicNames,
  codec: RecordCodec,
  requestId: string,
  handlers: ReplyHandlers,
): (record: InboundRecord) => void {
  const take = ({ topic, value, headers }: InboundRecord) => {
    if (topic === topics.chunks) {
      const { record } = codec.decode('ChatChunk', value, headers);
      if (record.requestId === requestId) handlers.chunk(record);
    } else if (topic === topics.responses) {
      const { record } = codec.decode('ChatResponse', value, headers);
      if (record.requestId === requestId) handlers.response(record);
    } else {
      const { record } = codec.decode('CostCalculated', value, headers);
      if (record.requestId === requestId) handlers.cost(record);
    }
  };
  return (record) => {
    try {
      take(record);
    } catch (error) {
      if (!(error instanceof UndecodableRecord)) throw error;
    }
  };
}
