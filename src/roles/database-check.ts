import type { Check } from '../adapters/http/health-server.ts';
import type { DatabaseState } from '../adapters/mongo/client/database-probe.ts';
import type { Role } from '../config/environment.ts';

/** What each role does while MongoDB does not answer. */
const MEANWHILE: Readonly<Record<Role, string>> = {
  worker: 'calls in flight continue, their outcomes and new requests wait',
  ledger: 'spend is not added up',
  catalog: 'models and prices stay unchanged',
};

/** MongoDB as `/readyz` reports it. */
export function databaseCheck(state: DatabaseState | null, roles: readonly Role[]): Check {
  if (state === null) return { name: 'mongodb', ok: false, why: 'connecting' };
  const since = new Date(state.since).toISOString();
  if (state.isUp)
    return {
      name: 'mongodb',
      ok: true,
      since,
      why: `the primary answered in ${state.roundTripMs.toFixed(1)} ms`,
    };
  const meanwhile = roles.map((role) => MEANWHILE[role]).join('; ');
  return {
    name: 'mongodb',
    ok: false,
    since,
    why: `the primary has not answered since ${since}; meanwhile: ${meanwhile}; last error: ${state.error.message}`,
  };
}
