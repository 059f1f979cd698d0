import type { OutboundRecord, RecordBatch } from '../../../ports/kafka.ts';

/** Well below what a topic takes by default. */
const BATCH_BYTES = 500_000;

/** Records as batches of one partition each, in their order. */
export function batchesOf(
  records: readonly OutboundRecord[],
  partitionOf: (record: OutboundRecord) => number,
): RecordBatch[] {
  const open = new Map<string, { readonly records: OutboundRecord[]; bytes: number }>();
  const batches: RecordBatch[] = [];
  for (const record of records) {
    const { topic } = record;
    const partition = partitionOf(record);
    const name = `${topic}/${partition}`;
    const bytes = (record.value?.byteLength ?? 0) + 200;
    let batch = open.get(name);
    if (batch === undefined || batch.bytes + bytes > BATCH_BYTES) {
      batch = { records: [], bytes: 0 };
      open.set(name, batch);
      batches.push({ topic, partition, records: batch.records });
    }
    batch.records.push(record);
    batch.bytes += bytes;
  }
  return batches;
}
