import { readTopics, type TopicReader } from '../../src/adapters/kafka/consumer/topic-reader.ts';
import type { ModelChanged } from '../../src/contract/record-types.ts';
import { silent, type World } from './world.ts';

/** Every model change that became visible, in the order of the topic, as subscribers see it. */
export class ModelChangeLog {
  readonly all: ModelChanged[] = [];
  private readonly waiting = new Set<{ holds: () => boolean; resolve: () => void }>();
  private reader: TopicReader | null = null;

  static async read(world: World): Promise<ModelChangeLog> {
    const log = new ModelChangeLog();
    const read = () => log.begin(world);
    // A topic that has only just been created may not be led yet.
    log.reader = await read().catch((error: { retriable?: boolean }) => {
      if (error.retriable) return read();
      throw error;
    });
    return log;
  }

  private begin({ config, topics, codec }: World): Promise<TopicReader> {
    return readTopics({
      settings: config.kafka,
      logger: silent,
      topics: [topics.modelChanges],
      from: 'start',
      onRecord: ({ value, headers }) => {
        this.all.push(codec.decode('ModelChanged', value, headers).record);
        for (const entry of this.waiting) {
          if (!entry.holds()) continue;
          this.waiting.delete(entry);
          entry.resolve();
        }
      },
      onCrash: (error) => {
        throw error;
      },
    });
  }

  /** Resolves when a change of this kind is visible for a model. */
  seen(model: string, change: ModelChanged['change'] = 'ADDED'): Promise<void> {
    return this.until((one) => one.model === model && one.change === change);
  }

  /** Resolves when a change that fits is visible. */
  until(fits: (change: ModelChanged) => boolean): Promise<void> {
    const holds = () => this.all.some(fits);
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add({ holds, resolve }));
  }

  /** The kinds of change that a model went through. */
  of(model: string): string[] {
    return this.all.filter((one) => one.model === model).map(({ change }) => change);
  }

  async close(): Promise<void> {
    await this.reader?.close();
  }
}
