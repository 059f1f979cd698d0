import { Big } from 'big.js';
import type { CostCalculated, Problem, ProviderCall } from '../../contract/record-types.ts';

/** Smaller differences come from the provider's rounding: a millionth of a dollar. */
const ROUNDING = '0.000001';
/** The currency of costs that providers report. */
const REPORTED_CURRENCY = 'USD';

/** The warnings of a response about its bill: the price of another model, or a different cost reported by the provider. */
export function costWarnings(cost: CostCalculated | null): Problem[] {
  return (cost?.calls ?? []).flatMap((call) => [
    ...pricedAsRequested(call),
    ...differs(call, cost?.currency ?? null),
  ]);
}

function pricedAsRequested({ attempt, model, requestedModel, pricedModel }: ProviderCall): Problem[] {
  if (pricedModel === null || requestedModel === null || model === requestedModel) return [];
  if (isVersionOf(model, pricedModel)) return [];
  return [
    {
      path: 'model',
      code: 'priced_as_requested',
      message: `call ${attempt} was served by "${model}", which has no price; it is billed by the price of the requested model "${pricedModel}". Import a price for "${model}" if its price differs`,
    },
  ];
}

/** `ft:gpt-4o` of `ft:gpt-4o:organization:name:id` */
const FINE_TUNED = /^ft:[^:]+/;
const VERSION = /^(?:-(?:\d{3,8}|\d{4}-\d{2}-\d{2}))?$/;

/** Whether it is a dated snapshot or a fine-tuned copy of `base`. Any other longer name is another model. */
function isVersionOf(model: string, base: string): boolean {
  const [name] = FINE_TUNED.exec(model) ?? [model];
  return name.startsWith(base) && VERSION.test(name.slice(base.length));
}

function differs({ attempt, amount, reportedCost }: ProviderCall, currency: string | null): Problem[] {
  if (amount === null || reportedCost === null || currency !== REPORTED_CURRENCY) return [];
  if (new Big(amount).minus(reportedCost).abs().lte(ROUNDING)) return [];
  return [
    {
      path: '',
      code: 'cost_differs',
      message: `the provider reports ${reportedCost} USD for call ${attempt}, but its usage and price make ${amount} USD, which is billed. Check the model’s price, or what the provider adds (fees, credits, discounts)`,
    },
  ];
}
