import type { Price } from '../domain/price.ts';
import type { ModelInfo } from '../ports.ts';

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

/** A model as the catalog keeps it. */
export interface CatalogModel extends Omit<ModelInfo, 'streams'> {
  readonly capabilities: readonly Capability[];
  /** Where this is from: the name of the file it was imported from. */
  readonly source: string;
}

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
  /** Adds models, or replaces those with the same provider and id. */
  put(models: readonly CatalogModel[]): Promise<void>;
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
   * and nothing was added.
   */
  append(
    provider: string,
    model: string,
    revision: number,
    versions: readonly PriceVersion[],
  ): Promise<boolean>;
}
