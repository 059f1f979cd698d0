import type { CostCalculated } from '../contract/record-types.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { InboundRecord } from '../ports/kafka.ts';
import { type AdjustmentReason, type Bill, buildAdjustments } from './build-adjustment.ts';

export interface BillFilter {
  readonly reason: AdjustmentReason;
  /** Of the first call, epoch ms, inclusive: the invoice period. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** An adjustment that is to be published, and the record of the charge that it belongs to. */
export interface DueAdjustment {
  readonly event: CostCalculated;
  readonly source: InboundRecord;
}

interface OpenBill extends Bill {
  readonly source: InboundRecord;
  readonly adjustments: CostCalculated[];
}

interface RequestBills {
  /** The highest that any event of the request has. */
  revision: number;
  /** By the time of the first call: an id that is used again after the ledger has forgotten it is another bill. */
  readonly bills: Map<number, OpenBill>;
}

/**
 * Finds, while the cost topic is read from its start, the bills that may have to be adjusted, and keeps these alone: a
 * charge that is fully priced is not looked at again for late prices, one whose price still holds not for corrected ones.
 */
export class BillLog {
  private readonly filter: BillFilter;
  private readonly prices: Pick<Catalog, 'price'>;
  private readonly requests = new Map<string, RequestBills>();
  private readonly seen = new Set<string>();

  constructor(filter: BillFilter, prices: Pick<Catalog, 'price'>) {
    this.filter = filter;
    this.prices = prices;
  }

  /** Takes the next event of its partition; a second one with the same id is no other event. */
  add(event: CostCalculated, source: InboundRecord): void {
    if (event.kind === 'CHARGE') this.addCharge(event, source);
    else if (event.kind === 'ADJUSTMENT') this.addAdjustment(event);
  }

  /**
   * What is missing, in the order of the charges.
   *
   * @param occurredAt epoch ms
   */
  due(occurredAt: number): DueAdjustment[] {
    return [...this.requests.values()].flatMap((request) =>
      [...request.bills.values()].flatMap((bill) => {
        const next = request.revision + 1;
        const events = buildAdjustments(bill, this.prices, this.filter.reason, next, occurredAt);
        request.revision += events.length;
        return events.map((event) => ({ event, source: bill.source }));
      }),
    );
  }

  private addCharge(charge: CostCalculated, source: InboundRecord): void {
    if (charge.usageAt < this.filter.from || charge.usageAt >= this.filter.to) return;
    if (!this.mayChange(charge)) return;
    const { bills } = this.requestOf(charge);
    if (!bills.has(charge.usageAt)) bills.set(charge.usageAt, { charge, source, adjustments: [] });
  }

  private addAdjustment(event: CostCalculated): void {
    if (this.seen.has(event.eventId)) return;
    this.seen.add(event.eventId);
    const request = this.requestOf(event);
    request.revision = Math.max(request.revision, event.revision);
    request.bills.get(event.usageAt)?.adjustments.push(event);
  }

  private mayChange({ calls, costStatus }: CostCalculated): boolean {
    if (this.filter.reason === 'late_price') return costStatus !== 'PRICED';
    // A call that was priced later is in an adjustment, whose price may be corrected too.
    if (costStatus !== 'PRICED') return true;
    return calls.some(({ provider, model, startedAt, priceId }) => {
      const price = this.prices.price(provider, model, startedAt);
      return price !== null && price.id !== priceId;
    });
  }

  private requestOf({ tenantId, requestId }: CostCalculated): RequestBills {
    const key = JSON.stringify([tenantId, requestId]);
    const request = this.requests.get(key) ?? { revision: 0, bills: new Map() };
    this.requests.set(key, request);
    return request;
  }
}
