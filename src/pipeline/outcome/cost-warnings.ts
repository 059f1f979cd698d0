import { Big } from 'big.js';
import type { CostCalculated, Problem, ProviderCall } from '../../contract/record-types.ts';

/** Below this, amounts differ by how a provider rounds: a millionth of a dollar. */
const ROUNDING = '0.000001';
/** What providers report their own costs in. */
const REPORTED_CURRENCY = 'USD';

/** What a response warns of about its bill: a price of another name, a cost that the provider reports otherwise. */
export function costWarnings(cost: CostCalculated | null): Problem[] {
  return (cost?.calls ?? []).flatMap((call) => [
    ...pricedAsRequested(call),
    ...differs(call, cost?.currency ?? null),
  ]);
}

function pricedAsRequested({ attempt, model, requestedModel, pricedModel }: ProviderCall): Problem[] {
  if (pricedModel === null || requestedModel === null || model === requestedModel) return [];
  // A dated snapshot of the served name is priced by that name, which is nothing to warn of.
  if (model.startsWith(pricedModel)) return [];
  return [
    {
      path: 'model',
      code: 'priced_as_requested',
      message: `call ${attempt} was served by "${model}", which has no price; it is billed by the price of the requested model "${pricedModel}". Import a price for "${model}" if it costs something else`,
    },
  ];
}

function differs({ attempt, amount, reportedCost }: ProviderCall, currency: string | null): Problem[] {
  if (amount === null || reportedCost === null || currency !== REPORTED_CURRENCY) return [];
  if (new Big(amount).minus(reportedCost).abs().lte(ROUNDING)) return [];
  return [
    {
      path: '',
      code: 'cost_differs',
      message: `the provider reports ${reportedCost} USD for call ${attempt}, and its usage and price make ${amount} USD; the bill has the latter. Check the model’s price, or what the provider adds (fees, credits, discounts)`,
    },
  ];
}
