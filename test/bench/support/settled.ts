import { added, histogramOf, quantileOf, sumOf } from './prometheus.ts';

/** What the service's own metrics say of its transactions between two readings. */
export interface Settled {
  readonly transactions: number;
  readonly requestsPerTransaction: number;
  /** Duration of a transaction. */
  readonly transactionP50Ms: number;
  /** From an outcome that the ledger has acknowledged to its committed transaction. */
  readonly visibleP50Ms: number;
  readonly visibleP99Ms: number;
  /** Transactions whose outcome was unknown. */
  readonly doubts: number;
  /** Records on the chunk topic per finished request: how far tokens merged. */
  readonly chunksPerRequest: number;
}

const PREFIX = 'completionbus_settle';

/** @param before, after pages of /metrics */
export function settledBetween(before: string, after: string): Settled {
  const sum = (name: string) => sumOf(after, name) - sumOf(before, name);
  const milliseconds = (name: string, share: number) =>
    quantileOf(added(histogramOf(before, name), histogramOf(after, name)), share) * 1000;
  const transactions = sum(`${PREFIX}_duration_count`);
  return {
    transactions,
    requestsPerTransaction: sum(`${PREFIX}_requests_sum`) / transactions,
    transactionP50Ms: milliseconds(`${PREFIX}_duration`, 0.5),
    visibleP50Ms: milliseconds(`${PREFIX}_delay`, 0.5),
    visibleP99Ms: milliseconds(`${PREFIX}_delay`, 0.99),
    doubts: sum(`${PREFIX}_doubts_total`),
    chunksPerRequest:
      sum('completionbus_chunks_published_total') / sum('completionbus_requests_finished_total'),
  };
}
