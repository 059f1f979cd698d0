import type { ChatResponse } from '../../src/contract/record-types.ts';
import type { History } from '../support/history.ts';

type Outputs = Pick<History, 'responses' | 'generated' | 'costs' | 'chunks' | 'dead'>;

/**
 * Merges the records of successive clusters into one history. A refusal or a dead letter follows from its record alone and
 * is not in the ledger. In a cluster with copied offsets, the map of settled records is invalid, so such an outcome is
 * published again with the same event id. It counts once.
 */
export function oneHistory(histories: readonly Outputs[]): Outputs {
  const said = new Set<string>();
  const isRefusal = ({ error, attempts }: ChatResponse) => error !== null && attempts === 0;
  const all = histories.flatMap(({ responses }) => responses.map(({ value }) => value));
  const refused = new Set(all.filter(isRefusal).map(({ requestId }) => requestId));
  return {
    responses: histories.flatMap(({ responses }) =>
      notYetSaid(responses, said, ({ value }) => (isRefusal(value) ? `response ${value.eventId}` : null)),
    ),
    generated: histories.flatMap(({ generated }) =>
      notYetSaid(generated, said, ({ value: { requestId, usage, eventId } }) =>
        refused.has(requestId) && usage === null ? `generated ${eventId}` : null,
      ),
    ),
    costs: histories.flatMap(({ costs }) => costs),
    chunks: histories.flatMap(({ chunks }) => chunks),
    dead: histories.flatMap(({ dead }) =>
      notYetSaid(dead, said, ({ headers }) => `dead ${headers['dead-partition']}/${headers['dead-offset']}`),
    ),
  };
}

/** Keeps duplicates within one cluster, because they are breaches. */
function notYetSaid<T>(outputs: readonly T[], said: Set<string>, nameOf: (one: T) => string | null): T[] {
  const names = outputs.map(nameOf);
  const left = outputs.filter((_, index) => !said.has(names[index] ?? ''));
  for (const name of names) if (name !== null) said.add(name);
  return left;
}
