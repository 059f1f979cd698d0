import type { Price } from '../domain/cost/price.ts';
import type { ModelParameters } from '../domain/parameters/refused-parameters.ts';

export interface ModelInfo extends ModelParameters {
  readonly provider: string;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** Null for an unknown model: the caller's choice is sent. */
  readonly maxTokensParameter: 'max_completion_tokens' | 'max_tokens' | null;
  /** Whether it supports streaming; else the answer comes in one piece. */
  readonly streams: boolean;
  /** Whether it can reason before it answers. The limit of output tokens includes reasoning. */
  readonly reasons: boolean;
  /** Whether it answers chat requests at all; others are not suggested. */
  readonly chats: boolean;
  /** A deprecated model works until the provider removes it; a removed one does not. As of the last read: see `lifecycleAt`. */
  readonly lifecycle: 'active' | 'deprecated' | 'removed';
  /** When the provider removes it, epoch ms; null if that is not announced. */
  readonly shutdownAt: number | null;
}

/** Models and prices, from memory. Answers at once, also while the database is unavailable. */
export interface Catalog {
  /** The model with this id, else the one that has the name as an alias. Null when the catalog knows neither. */
  model(provider: string, name: string): ModelInfo | null;
  /** Ids and aliases of usable models with the most similar names, at most three. */
  nearest(provider: string, name: string): readonly string[];
  /** The version in force at an instant (epoch ms); null if there is no price. */
  price(provider: string, model: string, at: number): Price | null;
}
