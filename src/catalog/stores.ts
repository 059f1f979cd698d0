import type { ModelChanged } from '../contract/record-types.ts';
import type { Price } from '../domain/cost/price.ts';
import type { ModelParameters } from '../domain/parameters/refused-parameters.ts';

/** What a model can do, in words that requests are checked and models are chosen by. */
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

/** What a model is, wherever that is known from. */
export interface ModelFacts extends ModelParameters {
  readonly provider: string;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  readonly maxTokensParameter: 'max_completion_tokens' | 'max_tokens' | null;
  readonly capabilities: readonly Capability[];
  /** Other names that requests may call it by. */
  readonly aliases: readonly string[];
  /** The dated model that the provider serves under this name; null when it is not known or the name is dated itself. */
  readonly snapshot: string | null;
  /** When the provider takes it away, epoch ms; null when it has not said. */
  readonly shutdownAt: number | null;
  /** Where the facts are from: the name of the file, or `inferred`. */
  readonly source: string;
}

/** A model as the catalog keeps it. Instants are epoch ms. */
export interface CatalogModel extends ModelFacts {
  /** When the provider first listed it; null when it never did. */
  readonly listedAt: number | null;
  /** Lists in a row that were without it although it had been on one before. */
  readonly missedRuns: number;
  /** When it had been missing for long enough to count as deprecated. */
  readonly deprecatedAt: number | null;
  /** When it had been missing for long enough to count as removed. */
  readonly removedAt: number | null;
}

/**
 * How far a model has come: announced to end, ended, or missing from the provider's lists.
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
 * A version of a price as it was given. Without an end of its own (`effectiveTo` null) it holds until the next version of
 * the model begins, so that versions are only ever added, never changed.
 */
export interface PriceVersion extends Price {
  /** SHA-256 of the text it was imported from, hexadecimal. */
  readonly sourceHash: string;
}

export interface ModelStore {
  list(): Promise<CatalogModel[]>;
  /**
   * Reads all models and writes those that `decide` makes different, with the changes to announce, in one transaction: two
   * writers never announce the same change. `decide` may be called again.
   *
   * @returns what is to be announced
   * @throws what `decide` throws; then nothing was written
   */
  update(decide: (known: readonly CatalogModel[]) => readonly CatalogModel[]): Promise<ModelChanged[]>;
}

/** All versions of one model, and the revision of the list that they are. */
export interface PriceHistory {
  readonly revision: number;
  readonly versions: readonly PriceVersion[];
}

export interface PriceStore {
  /** All versions of all models, by provider, model and time. */
  list(): Promise<PriceVersion[]>;
  history(provider: string, model: string): Promise<PriceHistory>;
  /**
   * Adds versions to one model's history if it is still at the revision, atomically. False: another writer was faster,
   * and nothing was added. Each version is a change to announce.
   */
  append(
    provider: string,
    model: string,
    revision: number,
    versions: readonly PriceVersion[],
  ): Promise<boolean>;
}

/** A version that was held back: it is not in force before a person accepts it. */
export interface WaitingPrice {
  readonly version: PriceVersion;
  /** What is suspicious about it. */
  readonly reasons: readonly string[];
  /** When it was first seen, epoch ms. */
  readonly since: number;
  /** Its file says when it begins. Else it begins when it is accepted. */
  readonly isDated: boolean;
}

/** What tells prices apart that wait: one without a date of its own is the only one of its model. */
export function waitingId({ version, isDated }: Pick<WaitingPrice, 'version' | 'isDated'>): string {
  return isDated ? version.id : `${version.provider}/${version.model}`;
}

/** Prices that wait, by model and, for those with a date of their own, by date. */
export interface WaitingPrices {
  list(): Promise<WaitingPrice[]>;
  /** Lets one wait, in place of an earlier one. False: it waits already, with the same amounts; nothing changes. */
  put(price: WaitingPrice): Promise<boolean>;
  remove(prices: readonly WaitingPrice[]): Promise<void>;
}

/** Changes that are stored and not yet announced, in the order in which they happened. */
export interface ChangeOutbox {
  /** The oldest of them, and the id of the outbox: the database's own, so that another one's positions are not taken for its. */
  pending(limit: number): Promise<{ readonly outboxId: string; readonly changes: readonly PendingChange[] }>;
  /** Deletes those up to a number. */
  forget(upTo: number): Promise<void>;
}

export interface PendingChange {
  /** Counts up from 1 without gaps. */
  readonly number: number;
  readonly change: ModelChanged;
}
