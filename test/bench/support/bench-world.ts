import type { Script } from '../../support/stand-in/script.ts';
import { World } from '../../support/world.ts';
import { type Child, startChild } from './child-process.ts';
import { type DriverPlan, MODEL, PROMPT } from './plans.ts';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';

export interface BenchWorldOptions {
  readonly partitions: number;
  readonly script: Script;
  readonly env?: Readonly<Record<string, string>>;
  /** A cluster other than the stack's, and the replication factor of its topics. */
  readonly brokers?: readonly string[];
  readonly replication?: number;
}

/** Of the driver's plan, what a measurement decides. */
export interface Load {
  readonly keys: number;
  readonly outstanding: number;
  readonly rampMs?: number;
  readonly backlog?: number;
  /** `json`: for the usual loop, which does not support Avro. Default: the service's Avro. */
  readonly form?: 'avro' | 'json';
}

/** Topics, database, stand-in and processes of one measurement. Leaves nothing behind. */
export class BenchWorld {
  readonly world: World;
  readonly partitions: number;
  private readonly children: Child[] = [];
  private readonly services: ServiceProcess[] = [];
  private drivers = 0;

  private constructor(world: World, partitions: number) {
    this.world = world;
    this.partitions = partitions;
  }

  static async create(options: BenchWorldOptions): Promise<BenchWorld> {
    const { script, env, ...topics } = options;
    const world = await World.create({
      ...topics,
      defaultScript: script,
      env: { DRAIN_TIMEOUT: '5s', ...env },
    });
    return new BenchWorld(world, options.partitions);
  }

  get standInUrl(): string {
    return this.world.standIn.url;
  }

  async startService(
    env: Readonly<Record<string, string>> = {},
    nodeOptions: readonly string[] = [],
    readyTimeoutMs?: number,
  ): Promise<ServiceProcess> {
    const service = await startServiceProcess({ ...this.world.env, ...env }, nodeOptions, readyTimeoutMs);
    this.services.push(service);
    return service;
  }

  async startDriver(load: Load): Promise<Child> {
    const { keys, outstanding, rampMs = 0, backlog = 0, form = 'avro' } = load;
    const { config, topics } = this.world;
    this.drivers += 1;
    const template = this.template(form);
    const plan: DriverPlan = {
      kafka: config.kafka,
      topics,
      keys,
      keyPrefix: `key-${this.drivers}-`,
      outstanding,
      rampMs,
      backlog,
      template: template.value.toString('base64'),
      idAt: template.idAt,
      decodes: form === 'avro',
    };
    return this.started(await startChild('driver', plan));
  }

  started(child: Child): Child {
    this.children.push(child);
    return child;
  }

  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.kill()));
    await Promise.all(this.children.map((child) => child.close()));
    await this.world.close();
  }

  /** Drivers must not share ids, or the service would answer from its ledger. */
  private template(form: 'avro' | 'json'): { value: Buffer; idAt: number } {
    const prefix = `bench-${this.drivers}-`;
    const request = {
      requestId: `${prefix}00000000`,
      model: MODEL,
      messages: [{ role: 'user', content: PROMPT }],
    };
    const value =
      form === 'json'
        ? Buffer.from(JSON.stringify(request))
        : this.world.codec.encode('ChatRequest', request);
    return { value, idAt: value.indexOf(prefix) + prefix.length };
  }
}

/** Runs a measurement in its own world. */
export async function inBenchWorld<Result>(
  options: BenchWorldOptions,
  measure: (bench: BenchWorld) => Promise<Result>,
): Promise<Result> {
  const bench = await BenchWorld.create(options);
  try {
    return await measure(bench);
  } finally {
    await bench.close();
  }
}
