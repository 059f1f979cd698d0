import { groupBy } from '../../faults/checks/evidence.ts';
import type { Call } from '../../support/stand-in/call-log.ts';
import type { Outputs } from '../run/outputs.ts';
import { NEIGHBOUR_MARK, type Publication, placeOf } from '../run/publication.ts';

export interface HostileBreaches {
  readonly outcomes: string[];
  readonly bills: string[];
  readonly others: string[];
}

type Visible = Pick<Outputs, 'dead' | 'hostileResponses' | 'hostileBills'>;

/** The guarantees that the tenth tenant has too: one outcome per record, one bill per call, never on another tenant's account. */
export function checkHostile(
  published: readonly Publication[],
  outputs: Visible,
  calls: readonly Call[],
): HostileBreaches {
  return {
    outcomes: oneOutcomeEach(published, outputs),
    bills: oneBillEach(outputs, calls),
    others: onNobodysAccount(outputs),
  };
}

/** Records of one key cannot be distinguished, so the key must have as many outcomes as records. */
export function oneOutcomeEach(
  published: readonly Publication[],
  { dead, hostileResponses }: Visible,
): string[] {
  const responses = groupBy(hostileResponses, ({ key }) => key);
  const letters = groupBy(dead, (place) => place);
  const known = new Set(published.map(({ key }) => key));
  return [
    ...[...groupBy(published, ({ key }) => key)].flatMap(([key, own]) => {
      const answered = responses.get(key)?.length ?? 0;
      const deadLettered = own.reduce((sum, record) => sum + (letters.get(placeOf(record))?.length ?? 0), 0);
      if (answered + deadLettered === own.length) return [];
      return [
        `${own[0]?.kind}: ${own.length} records under ${shortened(key)}, ${answered} responses and ${deadLettered} dead letters`,
      ];
    }),
    ...[...responses.keys()]
      .filter((key) => !known.has(key))
      .map((key) => `a response under ${shortened(key)}, which nobody published`),
  ];
}

/** A call that the provider charges for is on exactly one bill, and no call is made twice. */
function oneBillEach({ hostileBills }: Visible, calls: readonly Call[]): string[] {
  const billed = groupBy(
    hostileBills.flatMap(({ calls: own }) => own),
    (id) => id,
  );
  const own = calls.filter(({ requestId }) => !requestId?.startsWith(NEIGHBOUR_MARK));
  const charged = own.filter(
    ({ status, completionTokens, outcome }) =>
      status === 200 && (completionTokens > 0 || outcome === 'completed'),
  );
  return [
    ...charged
      .map(({ clientRequestId }) => clientRequestId ?? '')
      .filter((id) => billed.get(id)?.length !== 1)
      .map((id) => `call ${shortened(id)}: on ${billed.get(id)?.length ?? 0} bills`),
    ...[...groupBy(own, ({ clientRequestId }) => clientRequestId)]
      .filter(([, same]) => same.length > 1)
      .map(([id, same]) => `call ${shortened(id ?? '')}: made ${same.length} times`),
    ...[...groupBy(hostileBills, ({ eventId }) => eventId)]
      .filter(([, same]) => same.length > 1)
      .map(([id, same]) => `bill ${id}: ${same.length} times`),
  ];
}

/** A tenant that writes another's name into a header gets neither their answers nor a call at their cost. */
function onNobodysAccount({ hostileResponses, hostileBills }: Visible): string[] {
  const isOthers = (tenantId: string) => tenantId.startsWith('tenant-');
  return [
    ...hostileBills
      .filter(({ tenantId }) => isOthers(tenantId))
      .map(({ key, tenantId }) => `${shortened(key)}: billed to ${tenantId}`),
    ...hostileResponses
      .filter(({ tenantId, status }) => isOthers(tenantId) && status === 'COMPLETED')
      .map(
        ({ key, tenantId, replayed }) =>
          `${shortened(key)}: ${replayed ? 'a replay' : 'an answer'} of ${tenantId}`,
      ),
  ];
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}… (${text.length})` : text;
}
