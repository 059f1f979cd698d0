import type { ModelChanged } from '../contract/record-types.ts';
import type { Price } from '../domain/cost/price.ts';
import type { ModelParameters } from '../domain/parameters/refused-parameters.ts';

/** What a model can do. Requests are checked and models are chosen by these words. */
export const capabilities = [
  'chat',
  'streaming',
  'vision',
  'audio_input',
  'audio_output',
  'tools',
  'parallel_tools',
  'json_schema',
  'reasoning',
] as const;

export type Capability = (typeof capabilities)[number];

/** The facts about a model, whatever their source. */
export interface ModelFacts extends ModelParameters {
  readonly provider: string;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  readonly maxTokensParameter: 'max_completion_tokens' | 'max_tokens' | null;
  readonly capabilities: readonly Capability[];
  /** Other names that requests may use for it. */
  readonly aliases: readonly string[];
  /** The dated model that the provider serves under this name; null if it is unknown or the name itself is dated. */
  readonly snapshot: string | null;
  /** When the provider shuts it down, epoch ms; null if not announced. */
  readonly shutdownAt: number | null;
  /** The source of the facts: the name of the file, or `inferred`. */
  readonly source: string;
}

/** A model as the catalog stores it. Instants are epoch ms. */
export interface CatalogModel extends ModelFacts {
  /** When the provider first listed it; null if never. */
  readonly listedAt: number | null;
  /** Lists in a row without it, after it had been listed. */
  readonly missedRuns: number;
  /** When it had been missing long enough to count as deprecated. */
  readonly deprecatedAt: number | null;
  /** When it had been missing long enough to count as removed. */
  readonly removedAt: number | null;
}

/**
 * The lifecycle stage of a model: its end is announced or past, or it is missing from the provider's lists.
 *
 * @param now epoch ms: after its shutdown date a model counts as removed
 */
export function lifecycleOf(
  model: Pick<CatalogModel, 'shutdownAt' | 'deprecatedAt' | 'removedAt'>,
  now: number,
): 'active' | 'deprecated' | 'removed' {
  if (model.removedAt !== null || (model.shutdownAt !== null && model.shutdownAt <= now)) return 'removed';
  return model.deprecatedAt !== null || model.shutdownAt !== null ? 'deprecated' : 'active';
}

/** A model that the provider has never listed. */
export const NEVER_LISTED = { listedAt: null, missedRuns: 0, deprecatedAt: null, removedAt: null } as const;

/**
 * A version of a price as it was given. Without an end (`effectiveTo` null) it applies until the next version of the model starts.
 * So versions are only added, never changed.
 */
export interface PriceVersion extends Price {
  /** SHA-256 of the text it was imported from, hexadecimal. */
  readonly sourceHash: string;
}

export interface ModelStore {
  list(): Promise<CatalogModel[]>;
  /**
   * Reads all models and writes those that `decide` changes, together with the changes to announce, in one transaction. So two
   * writers never announce the same change. `decide` may run more than once.
   *
   * @returns the changes to announce
   * @throws what `decide` throws; then nothing was written
   */
  update(decide: (known: readonly CatalogModel[]) => readonly CatalogModel[]): Promise<ModelChanged[]>;
}

/** All versions of one model, and the revision of this list. */
export interface PriceHistory {
  readonly revision: number;
  readonly versions: readonly PriceVersion[];
}

export interface PriceStore {
  /** All versions of all models, by provider, model and time. */
  list(): Promise<PriceVersion[]>;
  history(provider: string, model: string): Promise<PriceHistory>;
  /**
   * Atomically adds versions to one model's history if it is still at the revision. False: another writer was faster, and nothing
   * was added. Each version is a change to announce.
   */
  append(
    provider: string,
    model: string,
    revision: number,
    versions: readonly PriceVersion[],
  ): Promise<boolean>;
}

/** A quarantined version: it is not in force until an operator accepts it. */
export interface WaitingPrice {
  readonly version: PriceVersion;
  /** What is suspicious about it. */
  readonly reasons: readonly string[];
  /** When it was first seen, epoch ms. */
  readonly since: number;
  /** Whether its file has a start date. If not, it starts when it is accepted. */
  readonly isDated: boolean;
}

/** Identifies a quarantined price. Without a date of its own, it is the only one of its model. */
export function waitingId({ version, isDated }: Pick<WaitingPrice, 'version' | 'isDated'>): string {
  return isDated ? version.id : `${version.provider}/${version.model}`;
}

/** The quarantined prices, by model and, if they have a date of their own, by date. */
export interface WaitingPrices {
  list(): Promise<WaitingPrice[]>;
  /** Quarantines a price, and replaces an earlier one. False: it is already there with the same amounts, and nothing changes. */
  put(price: WaitingPrice): Promise<boolean>;
  remove(prices: readonly WaitingPrice[]): Promise<void>;
}

/** Stored changes that are not announced yet, in the order in which they happened. */
export interface ChangeOutbox {
  /** The oldest changes, and the id of the outbox. The id belongs to the database, so that positions of another one are not mistaken for its own. */
  pending(limit: number): Promise<{ readonly outboxId: string; readonly changes: readonly PendingChange[] }>;
  /** Deletes the changes up to a number. */
  forget(upTo: number): Promise<void>;
}

export interface PendingChange {
  /** Counts up from 1 without gaps. */
  readonly number: number;
  readonly change: ModelChanged;
}
