import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Publication } from './publication.ts';
import type { FromHostile } from './publish-child.ts';

const CHILD = fileURLToPath(new URL('publish-child.ts', import.meta.url));

export interface HostileOptions {
  readonly broker: string;
  readonly topic: string;
  readonly partitions: number;
  readonly seed: number;
  readonly perSecond: number;
  /** Kinds, separated by commas. Default: all. */
  readonly only: string | null;
}

/** The tenth tenant. */
export class HostileTenant {
  readonly published: Publication[] = [];
  /** Records that the broker refused, by kind. */
  readonly refused = new Map<string, number>();
  private readonly child: ChildProcess;
  private readonly over = Promise.withResolvers<void>();
  private readonly prepared = Promise.withResolvers<void>();

  private constructor(options: HostileOptions) {
    const { broker, topic, partitions, seed, perSecond, only } = options;
    const given = [
      broker,
      topic,
      String(partitions),
      String(seed),
      String(perSecond),
      ...(only === null ? [] : [only]),
    ];
    this.child = fork(CHILD, given, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (message: FromHostile) => this.onMessage(message));
    this.child.once('exit', (code) => {
      const error = new Error(`the hostile tenant's process ended with ${code}; its own message is above`);
      this.prepared.reject(error);
      this.over.reject(error);
    });
    this.over.promise.catch(() => undefined);
    process.once('exit', () => this.child.kill('SIGKILL'));
  }

  /** Resolves when everything is prepared, before anything is sent. */
  static async prepare(options: HostileOptions): Promise<HostileTenant> {
    const tenant = new HostileTenant(options);
    await tenant.prepared.promise;
    return tenant;
  }

  start(): void {
    this.child.send('start');
  }

  /** Resolves when nothing more will be sent. */
  async stop(): Promise<void> {
    this.child.send('stop');
    await this.over.promise;
    this.child.kill();
  }

  private onMessage(message: FromHostile): void {
    if (message.type === 'ready') this.prepared.resolve();
    else if (message.type === 'done') this.over.resolve();
    else if (message.type === 'published') this.published.push(message.publication);
    else this.refused.set(message.kind, (this.refused.get(message.kind) ?? 0) + 1);
  }
}
