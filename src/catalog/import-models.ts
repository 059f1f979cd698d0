import { isDeepStrictEqual } from 'node:util';
import { type CatalogFile, readModelFile } from './catalog-file.ts';
import type { ImportSummary } from './import-summary.ts';
import type { CatalogModel, ModelStore } from './stores.ts';

/**
 * Adds the models of a file to the catalog and updates those that it has already. Models that the file does not name stay.
 *
 * @throws InvalidCatalogFile with every problem at once; then nothing was imported
 */
export async function importModels(store: ModelStore, file: CatalogFile): Promise<ImportSummary> {
  const models = readModelFile(file).map((entry): CatalogModel => ({ ...entry, source: file.name }));
  const known = new Map((await store.list()).map((model) => [nameOf(model), model]));

  const added = models.filter((model) => !known.has(nameOf(model)));
  const changed = models.filter((model) => {
    const before = known.get(nameOf(model));
    return before !== undefined && !isSameModel(before, model);
  });
  await store.put([...added, ...changed]);

  const written = new Set([...added, ...changed]);
  return {
    added: added.map(nameOf),
    changed: changed.map(nameOf),
    unchanged: models.filter((model) => !written.has(model)).map(nameOf),
    refused: [],
  };
}

const nameOf = ({ provider, id }: CatalogModel) => `${provider}/${id}`;

/** The same facts from another file are no change. */
function isSameModel(one: CatalogModel, other: CatalogModel): boolean {
  return isDeepStrictEqual({ ...one, source: '' }, { ...other, source: '' });
}
