import { createModelStore } from '../adapters/mongo/catalog-store.ts';
import { importModels } from '../catalog/import-models.ts';
import { shippedModels } from '../catalog/shipped-catalog.ts';
import { describeImport } from './describe-import.ts';
import type { Tool } from './tool.ts';
import { withDatabase } from './with-database.ts';

/** `models import [FILE]` */
export async function importModelFile(tool: Tool, path: string | undefined): Promise<void> {
  const file = path === undefined ? shippedModels : { name: path, text: tool.readFile(path) };
  await withDatabase(tool, async (db) =>
    tool.print(describeImport(await importModels(createModelStore(db), file))),
  );
}
