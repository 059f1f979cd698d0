import type { Db } from 'mongodb';
import type { StoredOutcome } from '../../../ports/ledger.ts';
import { durableWrite } from '../client/durable-write.ts';
import type { RequestRow } from './request-row.ts';

/** An outcome that the brokers refused in every form. */
export interface UnpublishedOutcome {
  /** Of its row. */
  readonly id: string;
  /** Of the request's partition, where its outputs belong. */
  readonly partition: number;
  readonly outcome: StoredOutcome;
}

/** Outcomes that are marked as unpublished, oldest first. */
export async function* unpublishedOutcomes(db: Db): AsyncGenerator<UnpublishedOutcome> {
  const rows = db
    .collection<RequestRow>('requests', { promoteBuffers: true })
    .find({ unpublished: true, outcome: { $ne: null } })
    .sort({ createdAt: 1 });
  for await (const { _id: id, source, outcome } of rows) {
    // `topic/partition/offset@time`
    const partition = Number(source.split('/')[1]);
    if (outcome !== null) yield { id, partition, outcome };
  }
}

/** It is visible now. */
export async function markPublished(db: Db, id: string): Promise<void> {
  await db
    .collection<RequestRow>('requests')
    .updateOne({ _id: id }, { $unset: { unpublished: true } }, durableWrite);
}
