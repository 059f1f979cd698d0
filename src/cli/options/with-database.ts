import type { Db } from 'mongodb';
import { connectDatabase, ensureIndexes } from '../../adapters/mongo/client/database.ts';
import type { Tool } from './tool.ts';

/** Runs an action with the service's database, and leaves no connection behind. */
export async function withDatabase<Result>(
  { config }: Tool,
  work: (db: Db) => Promise<Result>,
): Promise<Result> {
  const { db, close } = await connectDatabase(config.mongo);
  try {
    await ensureIndexes(db);
    return await work(db);
  } finally {
    await close();
  }
}
