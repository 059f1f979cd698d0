import type { CatalogModel } from '../../../catalog/stores.ts';

const instants = ['shutdownAt', 'listedAt', 'deprecatedAt', 'removedAt'] as const;
type Instants = { readonly [Name in (typeof instants)[number]]: Date | null };

/** One document of `models`. */
export interface ModelRow extends Omit<CatalogModel, keyof Instants>, Instants {
  /** `provider/id` */
  readonly _id: string;
}

export function modelRow(model: CatalogModel): ModelRow {
  return { _id: `${model.provider}/${model.id}`, ...model, ...mapInstants(model, (at) => new Date(at)) };
}

/** Models that were stored before a field was there have its empty value. */
export function catalogModel({ _id, ...row }: ModelRow): CatalogModel {
  return {
    ...row,
    capabilities: row.capabilities ?? ['chat', 'streaming'],
    refusedWhileReasoning: row.refusedWhileReasoning ?? [],
    defaultReasoningEffort: row.defaultReasoningEffort ?? null,
    aliases: row.aliases ?? [],
    snapshot: row.snapshot ?? null,
    missedRuns: row.missedRuns ?? 0,
    ...mapInstants(row, (at) => at.getTime()),
  };
}

function mapInstants<From, To>(
  from: { readonly [Name in (typeof instants)[number]]: From | null },
  map: (at: From) => To,
): Record<(typeof instants)[number], To | null> {
  const entries = instants.map((name) => [name, from[name] == null ? null : map(from[name])]);
  return Object.fromEntries(entries) as Record<(typeof instants)[number], To | null>;
}
