import { createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import { shippedPrices } from '../../catalog/files/shipped-catalog.ts';
import { changePrice, type PriceChange } from '../../catalog/prices/change-price.ts';
import { formatPriceFile } from '../../catalog/prices/format-price-file.ts';
import { importPrices } from '../../catalog/prices/import-prices.ts';
import { priceAt, priceTimelines } from '../../catalog/prices/versions/find-price.ts';
import { liveVersions } from '../../catalog/prices/versions/live-versions.ts';
import type { PriceStore, PriceVersion } from '../../catalog/stores.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { type Column, iso, Listing, type Output } from '../output/listing.ts';
import { printImport } from '../output/print-import.ts';
import { withInstants } from '../output/with-instants.ts';

export interface PriceImportFlags {
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  /** Epoch ms. */
  readonly effectiveFrom?: number;
}

/**
 * `prices import [FILE]`
 *
 * @returns 0, or 1 if an entry was refused
 */
export async function importPriceFile(
  tool: Tool,
  path: string | undefined,
  { verbose = false, ...flags }: PriceImportFlags,
): Promise<number> {
  const file = path === undefined ? shippedPrices : { name: path, text: tool.readFile(path) };
  const options = { ...flags, isNewEdition: path === undefined };
  const done = await withDatabase(tool, (db) => importPrices(createPriceStore(db), file, options));
  return printImport(tool, done, { dryRun: flags.dryRun ?? false, verbose });
}

export interface PriceFlags extends Omit<PriceChange, 'model' | 'corrects'> {
  readonly dryRun: boolean;
}

/**
 * `prices set MODEL`: adds a version of one model's price. The named parts change, the rest is kept.
 *
 * @returns 0, or 1 if it was refused
 */
export function setPrice(tool: Tool, model: string, { dryRun, ...flags }: PriceFlags): Promise<number> {
  return withDatabase(tool, (db) =>
    applyChange(tool, createPriceStore(db), { ...flags, model, corrects: null }, dryRun),
  );
}

/**
 * `prices correct VERSION`: adds a version that replaces a wrong one, which stays in the history.
 *
 * @param named id of the version, or a model: then its version in force
 * @param now epoch ms
 * @returns 0, or 1 if it was refused
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
    `there is no version ${named}, and no model of that name has a price in force; see: prices list --json`,
  );
}

async function applyChange(
  tool: Tool,
  store: PriceStore,
  change: PriceChange,
  dryRun: boolean,
): Promise<number> {
  const done = await changePrice(store, change, dryRun);
  return printImport(tool, done, { dryRun, verbose: true });
}

/** `prices list [MODEL]` */
export async function listPrices(tool: Tool, model: string | undefined, output: Output): Promise<void> {
  const versions = (await allVersions(tool)).filter(
    (version) => model === undefined || version.model === model,
  );
  const live = new Set(liveVersions(versions));
  const listing = new Listing(tool, output, COLUMNS, ({ version }) => withInstants(version));
  for (const version of versions) await listing.add({ version, isCorrected: !live.has(version) });
  await listing.end(
    model === undefined
      ? 'there are no prices; import some with: prices import'
      : `there is no price of ${model}; it may be under another name, or come with: prices import`,
  );
}

/** `prices export`: all versions as a price file. */
export async function exportPrices(tool: Tool): Promise<void> {
  tool.print(formatPriceFile(await allVersions(tool)));
}

function allVersions(tool: Tool): Promise<PriceVersion[]> {
  return withDatabase(tool, (db) => createPriceStore(db).list());
}

interface ListedVersion {
  readonly version: PriceVersion;
  /** Whether a later version corrects it, so that it no longer applies. */
  readonly isCorrected: boolean;
}

const COLUMNS: readonly Column<ListedVersion>[] = [
  { name: 'model', cell: ({ version }) => `${version.provider}/${version.model}` },
  { name: 'since', cell: ({ version }) => iso(version.effectiveFrom) },
  { name: 'until', cell: ({ version }) => iso(version.effectiveTo) },
  { name: 'input', kind: 'number', cell: ({ version }) => version.components.input ?? null },
  { name: 'output', kind: 'number', cell: ({ version }) => version.components.output ?? null },
  { name: 'currency', cell: ({ version }) => `${version.currency} per million` },
  { name: 'more', cell: ({ version }) => otherFigures(version) },
  { name: 'note', cell: ({ isCorrected }) => (isCorrected ? 'corrected' : null) },
];

function otherFigures({ components, serviceTiers }: PriceVersion): string {
  const { input, output, ...others } = components;
  const figures = Object.entries(others).map(([name, amount]) => `${name} ${amount}`);
  return [...figures, ...Object.keys(serviceTiers ?? {})].join(', ');
}
