import { isDeepStrictEqual } from 'node:util';
import { type CatalogFile, readModelFile } from '../files/catalog-file.ts';
import type { ImportSummary } from '../prices/import-summary.ts';
import { type CatalogModel, type ModelFacts, type ModelStore, NEVER_LISTED } from '../stores.ts';

/**
 * Adds the models of a file to the catalog, and updates existing ones. Models that are not in the file stay.
 *
 * @throws InvalidCatalogFile with every problem at once; then nothing was imported
 */
export async function importModels(store: ModelStore, file: CatalogFile): Promise<ImportSummary> {
  const models = readModelFile(file).map((entry): ModelFacts => ({ ...entry, source: file.name }));
  let before = new Map<string, CatalogModel>();
  await store.update((known) => {
    before = new Map(known.map((model) => [nameOf(model), model]));
    return models.map((facts) => ({ ...NEVER_LISTED, ...before.get(nameOf(facts)), ...facts }));
  });

  const summary = { added: [] as string[], changed: [] as string[], unchanged: [] as string[] };
  for (const facts of models) {
    const known = before.get(nameOf(facts));
    if (known === undefined) summary.added.push(nameOf(facts));
    else summary[isSameModel(known, { ...known, ...facts }) ? 'unchanged' : 'changed'].push(nameOf(facts));
  }
  return { ...summary, refused: [] };
}

const nameOf = ({ provider, id }: ModelFacts) => `${provider}/${id}`;

/** The same facts from another file are not a change. */
function isSameModel(one: CatalogModel, other: CatalogModel): boolean {
  return isDeepStrictEqual({ ...one, source: '' }, { ...other, source: '' });
}
