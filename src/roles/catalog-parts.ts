import type { Db } from 'mongodb';
import { createSingleObjectCodec } from '../adapters/avro/single-object-codec.ts';
import { KafkaLaneTransport } from '../adapters/kafka/transactions/lane-transport.ts';
import { createChangeOutbox } from '../adapters/mongo/catalog/change-outbox.ts';
import { createModelLister, type OpenAiModelLister } from '../adapters/openai/model-lister.ts';
import { type AnnounceChanges, createAnnouncer } from '../catalog/upkeep/announce-changes.ts';
import type { Config } from '../config/load-config.ts';
import type { ModelChanged } from '../contract/record-types.ts';
import { topicNames } from '../contract/topics.ts';
import type { Logger } from '../runtime/logger.ts';

export interface RunningAnnouncer extends AnnounceChanges {
  close(): Promise<void>;
}

/**
 * Connects the publisher of catalog changes. It has its own group: the position there is the number of the last published
 * change, which is meaningless to workers.
 */
export async function startAnnouncer(
  config: Config,
  db: Db,
  logger: Logger,
  onAnnounced: (changes: readonly ModelChanged[]) => void,
): Promise<RunningAnnouncer> {
  const { kafka, topics, limits } = config;
  const topic = topicNames(topics.prefix).modelChanges;
  const transport = await KafkaLaneTransport.connect(
    { ...kafka, groupId: `${kafka.groupId}.catalog` },
    [topic],
    logger,
  );
  const announcer = createAnnouncer({
    outbox: createChangeOutbox(db),
    transport,
    codec: createSingleObjectCodec(limits.recordMaxBytes),
    topic,
    groupId: kafka.groupId,
    onAnnounced,
  });
  return { ...announcer, close: () => transport.close() };
}

export function startModelLister({ openai }: Config): OpenAiModelLister {
  return createModelLister({
    apiKey: openai.apiKey ?? '',
    organization: openai.organization,
    project: openai.project,
    baseUrl: openai.baseUrl,
    headers: openai.headers,
    query: openai.query,
    proxy: openai.proxy,
  });
}
