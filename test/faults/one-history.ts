import type { ChatResponse } from '../../src/contract/record-types.ts';
import type { History } from '../support/history.ts';

type Outputs = Pick<History, 'responses' | 'generated' | 'costs' | 'chunks' | 'dead'>;

/**
 * What several clusters have, one after the other, as one history. What follows from a record alone, a refusal or a dead letter, is
 * not in the ledger: a cluster to which offsets were copied, where the map of settled records means nothing, says it once more
 * with the same event id, and that counts as once.
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

/** Repetitions within one cluster stay: they are breaches. */
function notYetSaid<T>(outputs: readonly T[], said: Set<string>, nameOf: (one: T) => string | null): T[] {
  const names = outputs.map(nameOf);
  const left = outputs.filter((_, index) => !said.has(names[index] ?? ''));
  for (const name of names) if (name !== null) said.add(name);
  return left;
}
