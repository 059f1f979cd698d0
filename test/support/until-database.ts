import type { Db } from 'mongodb';

/** Waits until something holds of a database: looks now, and again after each of its changes. */
export async function untilDatabase(db: Db, holds: () => Promise<boolean>): Promise<void> {
  const changes = db.watch();
  try {
    // Opens it before the first look, so that no change is missed in between.
    await changes.tryNext();
    while (!(await holds())) await changes.next();
  } finally {
    await changes.close();
  }
}
