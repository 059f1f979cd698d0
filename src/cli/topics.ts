import { createKafka, PATIENT_RETRIES } from '../adapters/kafka/kafka-client.ts';
import { createTopics } from '../adapters/kafka/topics.ts';
import type { Tool } from './tool.ts';

/** `topics create` */
export async function createTopicsCommand({ config, logger, print }: Tool): Promise<void> {
  const admin = createKafka(config.kafka, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    const created = await createTopics(admin, config.topics);
    print(created.length === 0 ? 'all topics exist\n' : `created ${created.join(', ')}\n`);
  } finally {
    await admin.disconnect();
  }
}
