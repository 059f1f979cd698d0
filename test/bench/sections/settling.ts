import { type BenchContext, coresText, type Section } from '../support/bench-context.ts';
import { perSecond, round } from '../support/measure.ts';
import { IN_FLIGHT, inThroughputWorld, PARTITIONS, runService, type ServiceRun } from './throughput.ts';

interface Load {
  readonly inFlight: number;
  readonly run: ServiceRun;
}

/** How outcomes become visible, at half a load and at a full one. */
export async function settling(context: BenchContext): Promise<Section> {
  const loads = context.quick ? [IN_FLIGHT] : [100, IN_FLIGHT];
  const results: Load[] = [];
  for (const inFlight of loads) {
    context.say(`settling: ${inFlight} in flight`);
    const options = { outstanding: inFlight };
    const run = await inThroughputWorld((bench) => runService(bench, context, options));
    results.push({ inFlight, run });
  }
  const full = results.find(({ inFlight }) => inFlight === IN_FLIGHT)?.run.settled;
  return {
    title: `settling: ${PARTITIONS} partitions, the load of "throughput"`,
    columns: [
      'in flight',
      'requests/s',
      'tx/s',
      'requests/tx',
      'tx p50 ms',
      'finished-visible p50',
      'p99 ms',
      'decided-read p50',
      'p99 ms',
      'chunks/request',
      'cores',
    ],
    rows: results.map(({ inFlight, run: { window, cores, settled } }) => {
      return [
        String(inFlight),
        perSecond(window.responses, window.elapsedMs).toFixed(1),
        (settled.transactions / (window.elapsedMs / 1000)).toFixed(1),
        settled.requestsPerTransaction.toFixed(1),
        settled.transactionP50Ms.toFixed(0),
        settled.visibleP50Ms.toFixed(0),
        settled.visibleP99Ms.toFixed(0),
        window.decidedToReadMs?.p50.toFixed(0) ?? '',
        window.decidedToReadMs?.p99.toFixed(0) ?? '',
        settled.chunksPerRequest.toFixed(1),
        coresText(cores),
      ];
    }),
    notes: [
      'finished-visible: from the acknowledged outcome to the committed transaction, from the histogram that the service',
      'itself keeps (completionbus.settle.delay), linear within its buckets. decided-read: exact, by a subscriber, from the',
      "response's createdAt: it has the ledger's write before and the subscriber's fetch after it too.",
    ],
    headline: {
      requestsPerTransaction: full === undefined ? null : round(full.requestsPerTransaction),
      settleP99Ms: full === undefined ? null : round(full.visibleP99Ms, 0),
    },
    raw: results,
  };
}
