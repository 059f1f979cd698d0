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

/** An adjustment to publish, and the record of its charge. */
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
  /** By the time of the first call: an id that is reused after the ledger has expired it is another bill. */
  readonly bills: Map<number, OpenBill>;
}

/**
 * Collects the bills that may need an adjustment while the cost topic is read from its start. It drops the others: a fully
 * priced charge needs no late price, and a charge whose price is still in force needs no correction.
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

  /** Takes the next event of its partition. A second event with the same id is a duplicate. */
  add(event: CostCalculated, source: InboundRecord): void {
    if (event.kind === 'CHARGE') this.addCharge(event, source);
    else if (event.kind === 'ADJUSTMENT') this.addAdjustment(event);
  }

  /**
   * The missing adjustments, in the order of the charges.
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
    // A call that was priced later is in an adjustment. The adjustment's price may be corrected too.
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
