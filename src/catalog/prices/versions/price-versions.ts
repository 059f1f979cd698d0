import { createHash } from 'node:crypto';
import { type CatalogFile, InvalidCatalogFile, readPriceFile } from '../../files/catalog-file.ts';
import type { PriceEntry } from '../../files/price-file.ts';
import type { PriceVersion } from '../../stores.ts';
import { revisionOf } from './live-versions.ts';
import { planPriceVersions } from './plan-price-versions.ts';

/** The start of a price without a predecessor: it applies to every earlier call too. */
export const SINCE_EVER = 0;

type ModelName = Pick<PriceVersion, 'provider' | 'model'>;

/** `provider/model` */
export const modelName = ({ provider, model }: ModelName) => `${provider}/${model}`;

/** SHA-256 of a file's text, hexadecimal. */
export function hashOf({ text }: CatalogFile): string {
  return createHash('sha256').update(text).digest('hex');
}

/** @param effectiveFrom epoch ms, used if the entry has no start */
export function versionOf(entry: PriceEntry, effectiveFrom: number, sourceHash: string): PriceVersion {
  const begin = entry.effectiveFrom ?? effectiveFrom;
  const { supersedes } = entry;
  const revision = supersedes === undefined ? '' : `#${revisionOf(supersedes) + 1}`;
  return {
    ...entry,
    id: `${modelName(entry)}@${new Date(begin).toISOString()}${revision}`,
    effectiveFrom: begin,
    sourceHash,
  };
}

/**
 * The versions of a price file without a database. Those without a date apply since the start of time.
 *
 * @throws InvalidCatalogFile with every problem at once, including overlapping entries
 */
export function versionsOfFile(file: CatalogFile): PriceVersion[] {
  const sourceHash = hashOf(file);
  const versions = readPriceFile(file).entries.map((entry) => versionOf(entry, SINCE_EVER, sourceHash));
  const plans = [...Map.groupBy(versions, modelName).values()].map((wanted) => planPriceVersions([], wanted));
  const refused = plans.flatMap((plan) =>
    plan.refused.map(({ version, reason }) => `${version.id} ${reason}`),
  );
  if (refused.length > 0) throw new InvalidCatalogFile(file.name, refused);
  return plans.flatMap(({ append }) => append);
}
