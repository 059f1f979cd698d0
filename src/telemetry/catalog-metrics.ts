import type { Meter, ObservableResult } from '@opentelemetry/api';
import { attribute, metricName, present } from './names.ts';

export type CatalogMetrics = ReturnType<typeof createCatalogMetrics>;

/** The instruments of the role `catalog`. */
export function createCatalogMetrics(meter: Meter) {
  const steps = meter.createCounter(metricName.catalogSteps, {
    description: 'Steps of the catalog’s upkeep by result',
    unit: '{step}',
  });
  const changes = meter.createCounter(metricName.catalogChanges, {
    description: 'Published changes of models and prices',
    unit: '{change}',
  });
  let waiting: number | null = null;
  const pricesWaiting = meter.createObservableGauge(metricName.catalogPricesWaiting, {
    description: 'Quarantined prices that need an operator',
    unit: '{price}',
  });
  const observe = (result: ObservableResult) => {
    if (waiting !== null) result.observe(waiting);
  };
  pricesWaiting.addCallback(observe);
  for (const step of ['models', 'prices']) steps.add(0, { [attribute.catalogStep]: step });
  changes.add(0);

  return {
    /** @param error code or class of its error; null on success */
    stepDone(step: string, error: string | null): void {
      steps.add(1, present({ [attribute.catalogStep]: step, [attribute.errorType]: error }));
    },

    /** @param change as in `ModelChanged` */
    announced(change: string): void {
      changes.add(1, { [attribute.catalogChange]: change });
    },

    pricesWaiting(count: number): void {
      waiting = count;
    },

    /** The role has ended: removes its gauges until it is restarted. */
    close: () => pricesWaiting.removeCallback(observe),
  };
}
