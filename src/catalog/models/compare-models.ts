import { type CatalogModel, type ModelFacts, NEVER_LISTED } from '../stores.ts';

/** Lists in a row without a model, until it counts as deprecated and until it counts as removed. */
export const DEPRECATED_AFTER_LISTS = 3;
export const REMOVED_AFTER_LISTS = 6;
/** The part of the models listed before that a new list must still have. A shorter list is rejected. */
const LEAST_KEPT = 0.5;

/** A list that lacks too many models to be plausible. It changes nothing. */
export class ShortModelList extends Error {
  override readonly name = 'ShortModelList';

  constructor(provider: string, kept: number, before: number) {
    super(
      `${provider} lists ${kept} of the ${before} models that it listed before; so short a list is treated as a fault, and no model is deprecated. ` +
        'If the list is right (another account, another server), accept it with: completion-bus models sync --accept-short',
    );
  }
}

export interface Comparison {
  readonly provider: string;
  /** All models of the catalog. Those of other providers stay unchanged. */
  readonly known: readonly CatalogModel[];
  /** The ids that the provider lists now. */
  readonly listed: readonly string[];
  /** The facts about an id besides the list. */
  readonly factsOf: (id: string) => ModelFacts;
  /** Sources whose facts `factsOf` may replace. What an operator imported stays. */
  readonly replaceable: ReadonlySet<string>;
  readonly acceptShort: boolean;
  /** Epoch ms. */
  readonly now: number;
}

/**
 * Applies the provider's list to the catalog: every model of the provider as it is from now on.
 *
 * ```
 *  (new) ──listed──► active ──3 lists without it──► deprecated ──6 lists──► removed
 *                      ▲                               │                      │
 *                      └────────────listed─────────────┴──────────────────────┘
 * ```
 *
 * A model that was never listed (it comes from a file) does not count as missing.
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
