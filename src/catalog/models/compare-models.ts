import { type CatalogModel, type ModelFacts, NEVER_LISTED } from '../stores.ts';

/** Lists in a row without a model until it counts as deprecated, and until it counts as removed. */
export const DEPRECATED_AFTER_LISTS = 3;
export const REMOVED_AFTER_LISTS = 6;
/** The part of the models listed before that a list must still have to be believed. */
const LEAST_KEPT = 0.5;

/** A list that is missing too much to be true. Nothing follows from it. */
export class ShortModelList extends Error {
  override readonly name = 'ShortModelList';

  constructor(provider: string, kept: number, before: number) {
    super(
      `${provider} lists ${kept} of the ${before} models that it listed before; so short a list is taken for a fault, and nothing is deprecated by it. ` +
        'If it is right (another account, another server), take it with: completion-bus models sync --accept-short',
    );
  }
}

export interface Comparison {
  readonly provider: string;
  /** All models of the catalog; those of other providers stay as they are. */
  readonly known: readonly CatalogModel[];
  /** The ids that the provider lists now. */
  readonly listed: readonly string[];
  /** What is known of an id besides the list. */
  readonly factsOf: (id: string) => ModelFacts;
  /** Sources whose facts `factsOf` may replace; what a person imported stays. */
  readonly replaceable: ReadonlySet<string>;
  readonly acceptShort: boolean;
  /** Epoch ms. */
  readonly now: number;
}

/**
 * What the provider's list makes of the catalog: every model of the provider as it is to be kept now.
 *
 * ```
 *  (new) ──listed──► active ──3 lists without it──► deprecated ──6 lists──► removed
 *                      ▲                               │                      │
 *                      └────────────listed─────────────┴──────────────────────┘
 * ```
 *
 * A model that was never listed (it is from a file) is not missed.
 *
 * @throws ShortModelList
 */
export function compareModels(comparison: Comparison): CatalogModel[] {
  const { provider, known, factsOf, replaceable, now } = comparison;
  const ours = known.filter((model) => model.provider === provider);
  const listed = new Set(comparison.listed);
  if (!comparison.acceptShort) refuseShortList(provider, ours, listed);

  const knownIds = new Set(ours.map(({ id }) => id));
  const added = [...listed]
    .filter((id) => !knownIds.has(id))
    .map((id): CatalogModel => ({ ...factsOf(id), ...NEVER_LISTED, listedAt: now }));
  const kept = ours.map((model): CatalogModel => {
    const facts = replaceable.has(model.source) ? factsOf(model.id) : {};
    const seen = listed.has(model.id) ? present(model, now) : absent(model, now);
    return { ...model, ...facts, ...seen };
  });
  return [...kept, ...added];
}

function refuseShortList(provider: string, ours: readonly CatalogModel[], listed: ReadonlySet<string>): void {
  const before = ours.filter(({ listedAt, removedAt }) => listedAt !== null && removedAt === null);
  const kept = before.filter(({ id }) => listed.has(id)).length;
  if (kept < before.length * LEAST_KEPT) throw new ShortModelList(provider, kept, before.length);
}

type Sightings = Pick<CatalogModel, 'listedAt' | 'missedRuns' | 'deprecatedAt' | 'removedAt'>;

function present({ listedAt }: CatalogModel, now: number): Sightings {
  return { listedAt: listedAt ?? now, missedRuns: 0, deprecatedAt: null, removedAt: null };
}

function absent(model: CatalogModel, now: number): Sightings {
  const { listedAt, missedRuns, deprecatedAt, removedAt } = model;
  if (listedAt === null || removedAt !== null) return { listedAt, missedRuns, deprecatedAt, removedAt };
  const missed = missedRuns + 1;
  return {
    listedAt,
    missedRuns: missed,
    deprecatedAt: deprecatedAt ?? (missed >= DEPRECATED_AFTER_LISTS ? now : null),
    removedAt: missed >= REMOVED_AFTER_LISTS ? now : null,
  };
}
