import type { Price } from '../domain/cost/price.ts';
import type { ModelParameters } from '../domain/parameters/refused-parameters.ts';

export interface ModelInfo extends ModelParameters {
  readonly provider: string;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** Null for an unknown model: the caller's choice is sent. */
  readonly maxTokensParameter: 'max_completion_tokens' | 'max_tokens' | null;
  /** Whether it can be asked to answer piece by piece; else the answer comes in one piece. */
  readonly streams: boolean;
  /** Whether it can think before it answers, which the limit of tokens counts too. */
  readonly reasons: boolean;
  /** Whether it answers chat requests at all; others are not suggested. */
  readonly chats: boolean;
  /** A deprecated model works until the provider takes it away; a removed one does not. As of the last reading: see `lifecycleAt`. */
  readonly lifecycle: 'active' | 'deprecated' | 'removed';
  /** When the provider takes it away, epoch ms; null when it has not said. */
  readonly shutdownAt: number | null;
}

/** Models and prices, from memory: answers at once and goes on answering while the database is away. */
export interface Catalog {
  /** The model with this id, else the one that has the name as an alias. Null when the catalog knows neither. */
  model(provider: string, name: string): ModelInfo | null;
  /** Ids and aliases of usable models with the most similar names, at most three. */
  nearest(provider: string, name: string): readonly string[];
  /** The version in force at an instant (epoch ms); null if there is no price. */
  price(provider: string, model: string, at: number): Price | null;
}
