import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { createTopics } from '../../src/adapters/kafka/topics/topics.ts';
import { createModelStore, createPriceStore } from '../../src/adapters/mongo/catalog/catalog-store.ts';
import { connectDatabase, ensureIndexes } from '../../src/adapters/mongo/client/database.ts';
import { shippedModels, shippedPrices } from '../../src/catalog/files/shipped-catalog.ts';
import { importModels } from '../../src/catalog/models/import-models.ts';
import { importPrices } from '../../src/catalog/prices/import-prices.ts';
import type { ImportSummary } from '../../src/catalog/prices/import-summary.ts';
import type { Config } from '../../src/config/load-config.ts';
import type { Logger } from '../../src/runtime/logger.ts';

/** Creates the topics, as `topics create` does. @returns a summary to print */
export async function prepareTopics({ kafka, topics }: Config, logger: Logger): Promise<string> {
  const admin = createKafka(kafka, logger, PATIENT_RETRIES).admin();
  await admin.connect();
  try {
    const created = await createTopics(admin, topics);
    return created.length === 0
      ? `${topics.prefix}.* already exist`
      : `${created.length} created: ${topics.prefix}.*`;
  } finally {
    await admin.disconnect();
  }
}

/** Imports the models and prices that ship with the project, as `models import` and `prices import` do. @returns a summary to print */
export async function loadCatalog({ mongo }: Config): Promise<string> {
  const { db, close } = await connectDatabase(mongo);
  try {
    await ensureIndexes(db);
    const models = await importModels(createModelStore(db), shippedModels);
    const prices = await importPrices(createPriceStore(db), shippedPrices);
    return `${describe(models, 'models')}, ${describe(prices, 'prices')}`;
  } finally {
    await close();
  }
}

function describe({ added, changed, unchanged }: ImportSummary, what: string): string {
  const loaded = added.length + changed.length;
  return loaded === 0 ? `${unchanged.length} ${what} up to date` : `${loaded} ${what} loaded`;
}
