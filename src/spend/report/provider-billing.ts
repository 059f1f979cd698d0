import type { DecimalText } from '../../domain/cost/price.ts';

/** UTC days, both included; of one project, or of everything that the key can see. */
export interface BillingQuery {
  readonly from: string;
  readonly to: string;
  readonly projectId: string | null;
}

/** One line of what a provider billed for a day. */
export interface BilledCost {
  readonly day: string;
  /** As the provider names it; null if it does not. */
  readonly lineItem: string | null;
  readonly amount: DecimalText;
  /** ISO 4217. */
  readonly currency: string;
}

/** What a provider measured of one model in a day. */
export interface BilledUsage {
  readonly day: string;
  readonly model: string | null;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A provider's own report of usage and costs. */
export interface ProviderBilling {
  /** @throws Error that says what to do, when the provider refuses or does not answer */
  costs(query: BillingQuery): Promise<readonly BilledCost[]>;
  /** @throws Error that says what to do, when the provider refuses or does not answer */
  usage(query: BillingQuery): Promise<readonly BilledUsage[]>;
}
