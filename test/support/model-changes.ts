import { readTopics, type TopicReader } from '../../src/adapters/kafka/topic-reader.ts';
import type { ModelChanged } from '../../src/contract/records.ts';
import { silent, type World } from './world.ts';

/** Every model change that became visible, in the order of the topic, as subscribers see it. */
export class ModelChangeLog {
  readonly all: ModelChanged[] = [];
  private readonly waiting = new Set<{ holds: () => boolean; resolve: () => void }>();
  private reader: TopicReader | null = null;

  static async read({ config, topics, codec }: World): Promise<ModelChangeLog> {
    const log = new ModelChangeLog();
    log.reader = await readTopics({
      settings: config.kafka,
      logger: silent,
      topics: [topics.modelChanges],
      from: 'start',
      onRecord: ({ value, headers }) => {
        log.all.push(codec.decode('ModelChanged', value, headers).record);
        for (const entry of log.waiting) {
          if (!entry.holds()) continue;
          log.waiting.delete(entry);
          entry.resolve();
        }
      },
      onCrash: (error) => {
        throw error;
      },
    });
    return log;
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
