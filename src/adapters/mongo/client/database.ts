import { type Db, type Document, MongoClient, MongoServerError } from 'mongodb';

const DUPLICATE_KEY = 11_000;
/** Default timeout of server selection; the connection string may override it. */
const SERVER_SELECTION_TIMEOUT_MS = 5_000;
const SECONDS_PER_DAY = 86_400;

export interface DatabaseOptions {
  /** The connection string; credentials in it are never repeated in an error. */
  readonly url: string;
  readonly database: string;
}

export interface Database {
  readonly db: Db;
  close(): Promise<void>;
}

/** The owner of a database's rows. Offsets, sources and claims are meaningless to any other owner. */
export interface DatabaseOwner {
  readonly kafkaClusterId: string;
  readonly groupId: string;
  readonly topicPrefix: string;
}

/** A database that this service must not use. The message says what to do. */
export class UnusableDatabase extends Error {
  override readonly name = 'UnusableDatabase';
}

/**
 * Connects, and checks that the server supports what the ledger and the catalog rely on.
 *
 * @throws UnusableDatabase when it is not a replica set or sharded cluster; the driver's error when it does not answer
 */
export async function connectDatabase({ url, database }: DatabaseOptions): Promise<Database> {
  const client = new MongoClient(url, {
    // The same name in every process. Transactions of dead processes are recognized by it.
    appName: `completion-bus/${database}`,
    ...(!/[?&]serverSelectionTimeoutMS=/i.test(url) && {
      serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    }),
  });
  try {
    await client.connect();
    requireReplicaSet(await client.db('admin').command({ hello: 1 }));
  } catch (error) {
    await client.close();
    throw error;
  }
  return { db: client.db(database), close: () => client.close() };
}

/**
 * Checks a server's answer to `hello` for what transactions and majority writes need.
 *
 * @throws UnusableDatabase when it is a standalone server
 */
export function requireReplicaSet(hello: Document): void {
  const isSharded = hello['msg'] === 'isdbgrid';
  if (hello['setName'] !== undefined || isSharded) return;
  throw new UnusableDatabase(
    'MongoDB is a standalone server: majority writes and transactions need a replica set. Start mongod with --replSet and run rs.initiate() once; one member is enough.',
  );
}

/** Creates missing indexes. Idempotent, also for several workers at once. */
export async function ensureIndexes(db: Db): Promise<void> {
  await Promise.all([
    db.collection('requests').createIndex({ expiresAt: 1 }, { name: 'expiry', expireAfterSeconds: 0 }),
    db
      .collection('leases')
      .createIndex({ at: 1 }, { name: 'left-behind', expireAfterSeconds: SECONDS_PER_DAY }),
    db.collection('models').createIndex({ provider: 1, id: 1 }, { name: 'model', unique: true }),
    db
      .collection('prices')
      .createIndex(
        { provider: 1, model: 1, effectiveFrom: 1, supersedes: 1 },
        { name: 'version-and-correction', unique: true },
      ),
    db.collection('spend').createIndex({ generation: 1, day: 1 }, { name: 'days' }),
    db.collection('spendEvents').createIndex({ keepUntil: 1 }, { name: 'expiry', expireAfterSeconds: 0 }),
    db.collection('reservations').createIndex({ tenantId: 1, currency: 1 }, { name: 'tenant' }),
    db.collection('reservations').createIndex({ expiresAt: 1 }, { name: 'expiry', expireAfterSeconds: 0 }),
  ]);
  // An index of earlier versions without corrections: it would refuse a correction that begins with the corrected version.
  // It goes when its successor is there, so that prices are unique at any time.
  await dropIndex(db, 'prices', 'version');
}

/** Server codes for a missing index or collection. */
const MISSING: ReadonlySet<unknown> = new Set([26, 27]);

async function dropIndex(db: Db, collection: string, index: string): Promise<void> {
  try {
    await db.collection(collection).dropIndex(index);
  } catch (error) {
    if (!(error instanceof MongoServerError && MISSING.has(error.code))) throw error;
  }
}

/**
 * Binds an empty database to its owner, and refuses one that belongs to another.
 *
 * @throws UnusableDatabase naming both owners
 */
export async function bindDatabase(db: Db, owner: DatabaseOwner): Promise<void> {
  const { kafkaClusterId, groupId, topicPrefix } = owner;
  const wanted = { kafkaClusterId, groupId, topicPrefix };
  const meta = db.collection<DatabaseOwner & { _id: string }>('meta');
  try {
    await meta.insertOne({ _id: 'owner', ...wanted }, { writeConcern: { w: 'majority', journal: true } });
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
  }
  const bound = await meta.findOne({ _id: 'owner' }, { projection: { _id: 0 } });
  if (bound === null || sameOwner(bound, wanted)) return;
  throw new UnusableDatabase(
    `Database '${db.databaseName}' belongs to ${describe(bound)}, but this service is ${describe(wanted)}. ` +
      `Its ledger would take one's records for the other's. Set MONGODB_DATABASE to a database of its own; ` +
      `if the cluster or group was replaced for good, empty the collection 'requests' and remove the document of 'meta'.`,
  );
}

const sameOwner = (one: DatabaseOwner, other: DatabaseOwner) =>
  one.kafkaClusterId === other.kafkaClusterId &&
  one.groupId === other.groupId &&
  one.topicPrefix === other.topicPrefix;

const describe = ({ kafkaClusterId, groupId, topicPrefix }: DatabaseOwner) =>
  `Kafka cluster '${kafkaClusterId}', group '${groupId}', topic prefix '${topicPrefix}'`;
