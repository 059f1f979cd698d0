import type { Db } from 'mongodb';
import { connectDatabase, ensureIndexes } from '../adapters/mongo/database.ts';
import type { Tool } from './tool.ts';

/** Connects for one command, and closes behind it. */
export async function withDatabase({ config }: Tool, work: (db: Db) => Promise<void>): Promise<void> {
  const { db, close } = await connectDatabase({ ...config.mongo, applicationName: config.kafka.clientId });
  try {
    await ensureIndexes(db);
    await work(db);
  } finally {
    await close();
  }
}
