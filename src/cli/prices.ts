import { createPriceStore } from '../adapters/mongo/catalog-store.ts';
import type { CatalogFile } from '../catalog/catalog-file.ts';
import { formatPriceFile } from '../catalog/format-price-file.ts';
import { importPrices } from '../catalog/import-prices.ts';
import { shippedPrices } from '../catalog/shipped-catalog.ts';
import type { PriceVersion } from '../catalog/stores.ts';
import { describePriceImport } from './describe-import.ts';
import type { Tool } from './tool.ts';
import { withDatabase } from './with-database.ts';

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

export interface PriceFlags {
  readonly provider: string;
  readonly currency: string;
  readonly source: string;
  /** Epoch ms. */
  readonly effectiveFrom: number;
  /** Epoch ms. */
  readonly effectiveTo?: number;
  readonly dryRun?: boolean;
  /** By the names of a price file. */
  readonly components: Readonly<Record<string, string>>;
}

/**
 * `prices set MODEL`: a new version of one model's price, of the standard rate alone.
 *
 * @returns 0, or 1 when it was refused
 */
export async function setPrice(tool: Tool, model: string, flags: PriceFlags): Promise<number> {
  const { dryRun = false, effectiveFrom, effectiveTo = null, ...price } = flags;
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  const entry = { model, ...price, effectiveFrom: iso(effectiveFrom), effectiveTo: iso(effectiveTo) };
  const { refused } = await importInto(
    tool,
    { name: 'the price', text: JSON.stringify([entry]) },
    { dryRun },
  );
  return refused.length === 0 ? 0 : 1;
}

/** `prices list [MODEL]` */
export async function listPrices(tool: Tool, model: string | undefined, asJson: boolean): Promise<void> {
  const versions = (await allVersions(tool)).filter(
    (version) => model === undefined || version.model === model,
  );
  for (const version of versions) tool.print(asJson ? `${JSON.stringify(version)}\n` : describe(version));
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
  return `${provider}/${model}\t${since}${until}\tinput ${input}\toutput ${output}\t${price.currency} per million${more.join('')}${tiers.join('')}\n`;
}
