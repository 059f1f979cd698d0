import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KafkaCluster, startKafkaCluster } from '../../scripts/stack/kafka-cluster.ts';
import {
  type MongoServer,
  type MongoSet,
  startMongo,
  startMongoSet,
} from '../../scripts/stack/mongo-server.ts';

/** Broker data kept after a breach. */
const KEPT = fileURLToPath(new URL('../../.stack/logs/brokers/', import.meta.url));

/** `one` and `other` have one broker each. `three` has three brokers and three replicas of everything. */
export type ClusterName = 'one' | 'three' | 'other';

/** A cluster, with the folder named in its brokers' command lines. */
export interface LaboratoryCluster extends KafkaCluster {
  readonly directory: string;
  readonly replication: number;
}

/** Private brokers and database that faults may kill. They start when first needed and live across repetitions. */
export class Laboratory {
  private directory: string | null = null;
  private server: MongoServer | null = null;
  private set: MongoSet | null = null;
  private readonly clusters = new Map<ClusterName, LaboratoryCluster>();

  async cluster(name: ClusterName): Promise<LaboratoryCluster> {
    const running = this.clusters.get(name);
    if (running !== undefined) return running;
    const directory = join(await this.folder(), name);
    const cluster = await startKafkaCluster({ brokers: name === 'three' ? 3 : 1, directory });
    const kept = { ...cluster, directory, replication: name === 'three' ? 3 : 1 };
    this.clusters.set(name, kept);
    return kept;
  }

  async mongo(): Promise<MongoServer> {
    this.server ??= await startMongo({ directory: join(await this.folder(), 'mongo') });
    return this.server;
  }

  /** Three members, one of which may be down. */
  async mongoSet(): Promise<MongoSet> {
    this.set ??= await startMongoSet(join(await this.folder(), 'mongo-set'));
    return this.set;
  }

  /** Stops the other clusters, because idle brokers cost CPU time too. */
  async keepOnly(names: readonly ClusterName[]): Promise<void> {
    for (const [name, cluster] of this.clusters) {
      if (names.includes(name)) continue;
      this.clusters.delete(name);
      await cluster.close();
      await rm(cluster.directory, { recursive: true, force: true });
    }
  }

  /**
   * Copies each broker's log and its data on groups and transactions, which `kafka-dump-log.sh` reads.
   *
   * @returns the folder
   */
  async keep(name: string): Promise<string> {
    const folder = join(KEPT, name);
    for (const [cluster, { directory, nodes }] of this.clusters)
      for (const { id } of nodes) {
        const broker = join(directory, `broker-${id}`);
        const filter = (path: string) => {
          const [top = '', topic = '__'] = relative(broker, path).split(sep);
          return (top === '' || top === 'kafka.log' || top === 'data') && topic.startsWith('__');
        };
        await cp(broker, join(folder, cluster, `broker-${id}`), { recursive: true, filter });
      }
    return folder;
  }

  async close(): Promise<void> {
    await this.keepOnly([]);
    await this.server?.close();
    await this.set?.close();
    if (this.directory !== null) await rm(this.directory, { recursive: true, force: true });
  }

  private async folder(): Promise<string> {
    this.directory ??= await mkdtemp(join(tmpdir(), 'completion-bus-faults-'));
    return this.directory;
  }
}
