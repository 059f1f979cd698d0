import { Big } from 'big.js';
import type { Price } from '../../domain/cost/price.ts';
import { type Capability, type CatalogModel, lifecycleOf } from '../stores.ts';

/** A model with the price in force; null if it has no price. */
export interface PricedModel {
  readonly model: CatalogModel;
  readonly price: Price | null;
}

export const sortOrders = ['name', 'price', 'context', 'output'] as const;
export const lifecycles = ['active', 'deprecated', 'removed'] as const;

/** Which models are wanted: all given criteria must match. Prices are decimal text per million tokens. */
export interface ModelCriteria {
  /** Everything that the model must be able to do. */
  readonly can?: readonly Capability[];
  readonly provider?: string;
  /** A part of the model's id or of one of its aliases. */
  readonly name?: string;
  /** In tokens. A model of unknown size is left out. */
  readonly minContext?: number;
  readonly minOutput?: number;
  /** A model without a price is left out. */
  readonly maxInputPrice?: string;
  readonly maxOutputPrice?: string;
  /** Default: those that can be called. */
  readonly lifecycle?: readonly (typeof lifecycles)[number][];
  /** `price`: the cheapest first, by input, then output; `context` and `output`: the largest first. Default: name. */
  readonly sort?: (typeof sortOrders)[number];
}

/** The matching models (now: epoch ms), sorted. Ties are sorted by name, and unknown values come last. */
export function selectModels(
  all: readonly PricedModel[],
  criteria: ModelCriteria,
  now: number,
): PricedModel[] {
  const { sort = 'name' } = criteria;
  return all
    .filter((one) => fits(one, criteria, now))
    .sort((one, other) => order[sort](one, other) || order.name(one, other));
}

function fits({ model, price }: PricedModel, criteria: ModelCriteria, now: number): boolean {
  const { can = [], provider, name, lifecycle = ['active', 'deprecated'] } = criteria;
  const names = [model.id, ...model.aliases].map((text) => text.toLowerCase());
  return (
    can.every((capability) => model.capabilities.includes(capability)) &&
    (provider === undefined || model.provider === provider) &&
    (name === undefined || names.some((text) => text.includes(name.toLowerCase()))) &&
    lifecycle.includes(lifecycleOf(model, now)) &&
    isAtLeast(model.contextWindow, criteria.minContext) &&
    isAtLeast(model.maxOutputTokens, criteria.minOutput) &&
    isAtMost(price?.components.input, criteria.maxInputPrice) &&
    isAtMost(price?.components.output, criteria.maxOutputPrice)
  );
}

function isAtLeast(tokens: number | null, least: number | undefined): boolean {
  return least === undefined || (tokens !== null && tokens >= least);
}

function isAtMost(amount: string | undefined, most: string | undefined): boolean {
  return most === undefined || (amount !== undefined && new Big(amount).lte(most));
}

type Order = (one: PricedModel, other: PricedModel) => number;

const order: Readonly<Record<(typeof sortOrders)[number], Order>> = {
  name: ({ model: one }, { model: other }) => compareText(nameOf(one), nameOf(other)),
  price: ({ price: one }, { price: other }) =>
    lastIfNull(one, other, (a, b) => {
      const byInput = new Big(a.components.input).cmp(b.components.input);
      return byInput || new Big(a.components.output).cmp(b.components.output);
    }),
  context: ({ model: one }, { model: other }) =>
    lastIfNull(one.contextWindow, other.contextWindow, (a, b) => b - a),
  output: ({ model: one }, { model: other }) =>
    lastIfNull(one.maxOutputTokens, other.maxOutputTokens, (a, b) => b - a),
};

const nameOf = ({ provider, id }: CatalogModel) => `${provider}/${id}`;

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function lastIfNull<Value>(
  one: Value | null,
  other: Value | null,
  compare: (one: Value, other: Value) => number,
): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  return compare(one, other);
}
