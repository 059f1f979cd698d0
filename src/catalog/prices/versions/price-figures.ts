import type { Price, TieredComponents } from '../../../domain/cost/price.ts';

/** The old and the new value of one figure of a price; null if there is no value. */
export interface FigureChange {
  /** As in the file: `input`, `tiers[>272000].input`, `serviceTiers.flex.input`. */
  readonly figure: string;
  readonly before: string | null;
  readonly after: string | null;
}

export type PriceFigures = Pick<
  Price,
  'currency' | 'components' | 'tiers' | 'serviceTiers' | 'regionalUplift'
>;

/** The figures in which two prices differ, in the order of the new price. */
export function compareFigures(before: PriceFigures | null, after: PriceFigures): FigureChange[] {
  const old = new Map(before === null ? [] : figuresOf(before));
  const current = new Map(figuresOf(after));
  return [...new Set([...current.keys(), ...old.keys()])]
    .map((figure) => ({ figure, before: old.get(figure) ?? null, after: current.get(figure) ?? null }))
    .filter((change) => change.before !== change.after);
}

function figuresOf({
  currency,
  serviceTiers,
  regionalUplift,
  ...standard
}: PriceFigures): [string, string][] {
  return [
    ['currency', currency],
    ...figuresOfTier('', standard),
    ...Object.entries(serviceTiers ?? {}).flatMap(([name, tier]) =>
      figuresOfTier(`serviceTiers.${name}.`, tier),
    ),
    ...Object.entries(regionalUplift ?? {}).map(([region, factor]): [string, string] => [
      `regionalUplift.${region}`,
      factor,
    ]),
  ];
}

function figuresOfTier(prefix: string, { components, tiers }: TieredComponents): [string, string][] {
  return [
    ...Object.entries(components).map(([name, amount]): [string, string] => [`${prefix}${name}`, amount]),
    ...(tiers ?? []).flatMap(({ aboveInputTokens, components: above }) =>
      figuresOfTier(`${prefix}tiers[>${aboveInputTokens}].`, { components: above }),
    ),
  ];
}
