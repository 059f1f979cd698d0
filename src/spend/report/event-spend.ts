import type { CostCalculated } from '../../contract/record-types.ts';
import { addSums, type SpendEntry, type SpendSum, spendOf } from '../../domain/cost/spend.ts';
import { LABEL, type ReportQuery, type ReportRow, type SpendReader } from './spend-report.ts';

/**
 * Spend counted from cost events for one report. The database keeps no labels, so a report by labels reads the whole topic.
 * Memory grows with the groups of the report and with one id for each event.
 */
export class EventSpend implements SpendReader {
  readonly #query: ReportQuery;
  readonly #counted = new Set<string>();
  readonly #rows = new Map<string, ReportRow>();
  #unreadable = 0;

  constructor(query: ReportQuery) {
    this.#query = query;
  }

  /** Counts an event. Of two with the same id only the first counts. */
  add(event: CostCalculated): void {
    if (this.#counted.has(event.eventId)) return;
    this.#counted.add(event.eventId);
    const { labels = {} } = this.#query.where ?? {};
    const fits = Object.entries(labels).every(([name, value]) => labelOf(event, name) === value);
    if (!fits) return;
    for (const entry of this.#entriesOf(event)) if (this.#isAskedFor(entry)) this.#count(event, entry);
  }

  /** Notes a record that is not a cost event. */
  miss(): void {
    this.#unreadable += 1;
  }

  async rows(): Promise<readonly ReportRow[]> {
    return [...this.#rows.values()];
  }

  async unreadable(): Promise<number> {
    return this.#unreadable;
  }

  #entriesOf(event: CostCalculated): readonly SpendEntry[] {
    try {
      return spendOf(event);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.miss();
      return [];
    }
  }

  #isAskedFor({ day, tenantId, userId, model }: SpendEntry): boolean {
    const { from, to, where = {} } = this.#query;
    return (
      day >= from &&
      day <= to &&
      (where.tenant === undefined || where.tenant === tenantId) &&
      (where.user === undefined || where.user === userId) &&
      (where.model === undefined || where.model === model)
    );
  }

  #count(event: CostCalculated, entry: SpendEntry): void {
    const { day, tenantId: tenant, userId: user, provider, model, currency } = entry;
    const values = { day, tenant, user, provider, model };
    const group = this.#query.by.map((dimension) =>
      dimension.startsWith(LABEL)
        ? labelOf(event, dimension.slice(LABEL.length))
        : values[dimension as keyof typeof values],
    );
    const key = JSON.stringify([group, currency]);
    const before = this.#rows.get(key);
    const sums: SpendSum = before === undefined ? sumsOf(entry) : addSums(before, entry);
    this.#rows.set(key, { group, currency, ...sums });
  }
}

function labelOf({ labels }: CostCalculated, name: string): string | null {
  return Object.hasOwn(labels, name) ? (labels[name] ?? null) : null;
}

function sumsOf({
  amount,
  calls,
  unpricedCalls,
  estimatedCalls,
  inputTokens,
  outputTokens,
}: SpendEntry): SpendSum {
  return { amount, calls, unpricedCalls, estimatedCalls, inputTokens, outputTokens };
}
