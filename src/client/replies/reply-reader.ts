import type { RecordCodec } from '../../contract/codec.ts';
import { REPLY_HEADERS } from '../../contract/reply-headers.ts';
import type { TopicNames } from '../../contract/topics.ts';
import type { FetchedRecords, InboundRecord } from '../../ports/kafka.ts';
import type { PendingAnswers } from './pending-answers.ts';

/**
 * Hands chunks and responses to the answers that wait for them. What is for others is dropped by its headers and its key, before
 * it is decoded.
 */
export class ReplyReader {
  private readonly topics: TopicNames;
  private readonly tenantId: string;
  private readonly codec: RecordCodec;
  private readonly pending: PendingAnswers;
  private readonly client: Buffer | null;

  /** @param client what records for this reader have in their header; null for all records */
  constructor(
    topics: TopicNames,
    tenantId: string,
    codec: RecordCodec,
    pending: PendingAnswers,
    client: string | null,
  ) {
    this.client = client === null ? null : Buffer.from(client);
    this.topics = topics;
    this.tenantId = tenantId;
    this.codec = codec;
    this.pending = pending;
  }

  take({ topic, records }: FetchedRecords): void {
    if (this.pending.size === 0) return;
    const take =
      topic === this.topics.chunks
        ? (record: InboundRecord) => this.takeChunk(record)
        : (record: InboundRecord) => this.takeResponse(record);
    for (const record of records) if (this.isForThis(record)) take(record);
  }

  private isForThis({ headers }: InboundRecord): boolean {
    if (this.client === null) return true;
    const name = headers[REPLY_HEADERS.client];
    return name instanceof Uint8Array && this.client.equals(name);
  }

  private takeChunk(record: InboundRecord): void {
    const id = keyOf(record);
    if (id === null) return;
    const answers = this.pending.of(id);
    if (answers.length === 0) return;
    const chunk = this.decode('ChatChunk', record);
    if (chunk?.tenantId !== this.tenantId) return;
    for (const answer of answers) answer.takeChunk(chunk);
  }

  private takeResponse(record: InboundRecord): void {
    const key = keyOf(record);
    // A copy has the request's id as its key.
    if (key === null || (this.client === null && !this.pending.hasKey(key))) return;
    const response = this.decode('ChatResponse', record);
    if (response?.tenantId !== this.tenantId) return;
    for (const answer of this.pending.of(response.requestId)) answer.takeResponse(response);
  }

  /** Null for a record that is not one of the service's: anybody may be able to write to these topics. */
  private decode<Name extends 'ChatChunk' | 'ChatResponse'>(name: Name, { value, headers }: InboundRecord) {
    try {
      return this.codec.decode(name, value, headers).record;
    } catch {
      return null;
    }
  }
}

function keyOf({ key }: InboundRecord): string | null {
  return key === null ? null : Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
}
