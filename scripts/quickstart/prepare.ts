import { createKafka, PATIENT_RETRIES } from '../../src/adapters/kafka/kafka-client.ts';
import { createTopics } from '../../src/adapters/kafka/topics.ts';
import { createModelStore, createPriceStore } from '../../src/adapters/mongo/catalog-store.ts';
import { connectDatabase, ensureIndexes } from '../../src/adapters/mongo/database.ts';
import { importModels } from '../../src/catalog/import-models.ts';
import { importPrices } from '../../src/catalog/import-prices.ts';
import type { ImportSummary } from '../../src/catalog/import-summary.ts';
import { shippedModels, shippedPrices } from '../../src/catalog/shipped-catalog.ts';
import type { Config } from '../../src/config.ts';
import type { Logger } from '../../src/logger.ts';

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
