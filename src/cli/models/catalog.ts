import { createModelStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { shippedModels } from '../../catalog/files/shipped-catalog.ts';
import { importModels } from '../../catalog/models/import-models.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { printImport } from '../output/print-import.ts';

/**
 * `models import [FILE]`
 *
 * @returns 0, or 1 when an entry was refused
 */
export function importModelFile(tool: Tool, path: string | undefined, verbose: boolean): Promise<number> {
  const file = path === undefined ? shippedModels : { name: path, text: tool.readFile(path) };
  return withDatabase(tool, async (db) =>
    printImport(tool, await importModels(createModelStore(db), file), { dryRun: false, verbose }),
  );
}
