import { createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import type { CatalogFile } from '../../catalog/files/catalog-file.ts';
import { shippedPrices } from '../../catalog/files/shipped-catalog.ts';
import { changePrice, type PriceChange } from '../../catalog/prices/change-price.ts';
import { priceAt, priceTimelines } from '../../catalog/prices/find-price.ts';
import { formatPriceFile } from '../../catalog/prices/format-price-file.ts';
import { importPrices } from '../../catalog/prices/import-prices.ts';
import { liveVersions } from '../../catalog/prices/live-versions.ts';
import type { PriceStore, PriceVersion } from '../../catalog/stores.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { describePriceImport } from '../output/describe-import.ts';

export interface PriceImportFlags {
  readonly dryRun?: boolean;
  /** Epoch ms. */
  readonly effectiveFrom?: number;
}

/** `prices import [FILE]` */
export async function importPriceFile(
  tool: Tool,
  path: string | undefined,
  flags: PriceImportFlags,
): Promise<void> {
  const file = path === undefined ? shippedPrices : { name: path, text: tool.readFile(path) };
  await importInto(tool, file, flags);
}

export interface PriceFlags extends Omit<PriceChange, 'model' | 'corrects'> {
  readonly dryRun: boolean;
}

/**
 * `prices set MODEL`: a new version of one model's price, with what is named changed and the rest kept.
 *
 * @returns 0, or 1 when it was refused
 */
export function setPrice(tool: Tool, model: string, { dryRun, ...flags }: PriceFlags): Promise<number> {
  return withDatabase(tool, (db) =>
    applyChange(tool, createPriceStore(db), { ...flags, model, corrects: null }, dryRun),
  );
}

/**
 * `prices correct VERSION`: a version that takes the place of a wrong one, which stays in the history.
 *
 * @param named id of the version, or a model: then its version in force
 * @param now epoch ms
 * @returns 0, or 1 when it was refused
 */
export function correctPrice(
  tool: Tool,
  named: string,
  { dryRun, ...flags }: PriceFlags,
  now: number,
): Promise<number> {
  return withDatabase(tool, async (db) => {
    const store = createPriceStore(db);
    const { id, provider, model } = findVersion(await store.list(), named, flags.provider, now);
    return await applyChange(tool, store, { ...flags, provider, model, corrects: id }, dryRun);
  });
}

function findVersion(
  versions: readonly PriceVersion[],
  named: string,
  provider: string,
  now: number,
): Pick<PriceVersion, 'id' | 'provider' | 'model'> {
  const timeline = priceTimelines(versions).get(`${provider}/${named}`);
  const found =
    versions.find(({ id }) => id === named) ?? (timeline === undefined ? null : priceAt(timeline, now));
  if (found !== null) return found;
  throw new Error(
    `there is no version ${named}, nor a price of a model of that name in force now; see: prices list --json`,
  );
}

async function applyChange(
  tool: Tool,
  store: PriceStore,
  change: PriceChange,
  dryRun: boolean,
): Promise<number> {
  const done = await changePrice(store, change, dryRun);
  tool.print(describePriceImport(done));
  return done.refused.length === 0 ? 0 : 1;
}

/** `prices list [MODEL]` */
export async function listPrices(tool: Tool, model: string | undefined, asJson: boolean): Promise<void> {
  const versions = (await allVersions(tool)).filter(
    (version) => model === undefined || version.model === model,
  );
  const live = new Set(liveVersions(versions));
  const note = (version: PriceVersion) => (live.has(version) ? '' : '\tcorrected');
  for (const version of versions)
    tool.print(asJson ? `${JSON.stringify(version)}\n` : `${describe(version)}${note(version)}\n`);
}

/** `prices export`: all versions as a price file. */
export async function exportPrices(tool: Tool): Promise<void> {
  tool.print(formatPriceFile(await allVersions(tool)));
}

async function importInto(tool: Tool, file: CatalogFile, options: PriceImportFlags) {
  const done = await withDatabase(tool, (db) => importPrices(createPriceStore(db), file, options));
  tool.print(describePriceImport(done));
  return done;
}

function allVersions(tool: Tool): Promise<PriceVersion[]> {
  return withDatabase(tool, (db) => createPriceStore(db).list());
}

function describe({
  provider,
  model,
  effectiveFrom,
  effectiveTo,
  components,
  ...price
}: PriceVersion): string {
  const since = `since ${new Date(effectiveFrom).toISOString()}`;
  const until = effectiveTo === null ? '' : `\tuntil ${new Date(effectiveTo).toISOString()}`;
  const { input, output, ...others } = components;
  const more = Object.entries(others).map(([name, amount]) => `\t${name} ${amount}`);
  const tiers = Object.keys(price.serviceTiers ?? {}).map((name) => `\t${name}`);
  return `${provider}/${model}\t${since}${until}\tinput ${input}\toutput ${output}\t${price.currency} per million${more.join('')}${tiers.join('')}`;
}
