import { createModelStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { shippedModels } from '../../catalog/files/shipped-catalog.ts';
import { importModels } from '../../catalog/models/import-models.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { describeImport } from '../output/describe-import.ts';

/** `models import [FILE]` */
export async function importModelFile(tool: Tool, path: string | undefined): Promise<void> {
  const file = path === undefined ? shippedModels : { name: path, text: tool.readFile(path) };
  await withDatabase(tool, async (db) =>
    tool.print(describeImport(await importModels(createModelStore(db), file))),
  );
}
