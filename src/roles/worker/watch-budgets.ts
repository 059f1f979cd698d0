import type { Meter } from '@opentelemetry/api';
import type { Config } from '../../config/load-config.ts';
import type { Budgets } from '../../ports/budgets.ts';
import type { Logger } from '../../runtime/logger.ts';
import { attribute, metricName } from '../../telemetry/names.ts';

/** Budgets with metrics. They log once when spend falls behind and once when it has caught up. */
export function watchBudgets(
  budgets: Budgets,
  { whenLedgerIsDown, ledgerMaxAgeMs }: Config['budgets'],
  meter: Meter,
  logger: Logger,
): Budgets {
  const reservations = meter.createCounter(metricName.budgetReservations, {
    description: 'Budget checks before calls',
    unit: '{request}',
  });
  for (const result of ['reserved', 'refused'])
    reservations.add(0, { [attribute.reservationResult]: result });
  meter
    .createObservableGauge(metricName.spendAge, {
      description: 'Time since spend was last known to be up to date with the cost topic',
      unit: 's',
    })
    .addCallback((result) => {
      const ageMs = budgets.spendAgeMs();
      if (ageMs !== null) result.observe(ageMs / 1000);
    });
  let wasDown = false;

  const tell = (isDown: boolean, ageMs: number | null) => {
    if (isDown === wasDown) return;
    wasDown = isDown;
    if (isDown) {
      logger.error(
        { spendAgeMs: ageMs, whenLedgerIsDown },
        'spend is not added up: requests of tenants with a budget are refused or checked against old sums; check the role ledger',
      );
    } else logger.info({ spendAgeMs: ageMs }, 'spend is added up again');
  };

  return {
    of: (tenantId) => budgets.of(tenantId),
    spendAgeMs: () => {
      const ageMs = budgets.spendAgeMs();
      tell(ageMs === null || ageMs > ledgerMaxAgeMs, ageMs);
      return ageMs;
    },
    async reserve(reservation, signal) {
      const over = await budgets.reserve(reservation, signal);
      reservations.add(1, { [attribute.reservationResult]: over === null ? 'reserved' : 'refused' });
      return over;
    },
    release: (identity) => budgets.release(identity),
  };
}
