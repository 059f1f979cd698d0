import type { Document } from 'mongodb';
import type { ClaimRequest } from '../../../ports/ledger.ts';
import { CRASHES_OF_POISON, DEATHS_OF_SUSPECT, runningAttempt, sourceId } from './request-row.ts';

/**
 * The update that decides a claim on an existing row, and applies it, in one atomic step:
 *
 * ```
 *               claim                   claim, in quarantine
 *     FREE ───────────────► CLAIMED  ┌──────────────────────► QUARANTINED ──► third charge: POISON
 *      ▲ ▲                   │ │ │   │                         │ │ │              (no call any more)
 *      │ └─ release, ended ──┘ │ └── │ ─── outcome ──► DONE ◄──┘ │ │
 *      │          crashed twice └► SUSPECT ◄── release, ended ───┘ │
 *      │                             ▲ └──────── crashed: charged ─┘
 *      └── outcome not remembered, claimed from another source
 * ```
 *
 * ```
 * row                                              | becomes
 * -------------------------------------------------+------------------------------------------------------------
 * outcome not remembered, from another source      | claimed like a new one: new body, no suspect; attempt numbers go on
 * free, same request                               | claimed
 * claim to take, whose owner has not crashed       | free, and goes on below
 * claim to take, whose owner crashed               | free, and goes on below
 * the same for the second time                     | suspect, charged if it was quarantined, and goes on below
 * suspect, same request, claimed from quarantine   | claimed, quarantined
 * suspect, same request, no call will be made      | claimed
 * suspect with too many charges                    | claimed without an attempt: no call may be made
 * held by another worker, the very same record     | its claim is marked as wanted
 * anything else (done, conflict, held, ours)       | unchanged
 * ```
 *
 * One crash makes no request a suspect: machines fail, and all their requests have to continue at once. A request that two
 * workers crashed with is a suspect. A worker quarantines one request at a time, as long as its calls run. So no crash is
 * charged to two requests.
 *
 * "Same request" is the same body, or the very same record. A record cannot have changed, even if a newer version hashes it
 * differently. A claim, for whatever reason, completes every call of earlier claims: those still RUNNING become ORPHANED.
 * The claimant's record becomes the row's source, so the one that makes the outcome is the one billed.
 */
export function claimUpdate(request: ClaimRequest, ttlMs: number): Document[] {
  const source = literal(sourceId(request.source));
  const bodyHash = literal(request.bodyHash);
  const now = request.now;
  const mayCallSuspect = request.inQuarantine && request.draft !== null;

  const forget = and(equal('$outcome.remembered', false), not(equal('$source', source)));
  const unfinished = and(equal('$outcome', null), or(equal('$source', source), equal('$bodyHash', bodyHash)));
  const taken =
    request.takeFrom === null
      ? false
      : and(unfinished, equal('$claim.token', literal(request.takeFrom.token)));
  const crashed = request.takeFrom?.crashed ? taken : false;
  const deaths = { $add: [{ $ifNull: ['$deaths', 0] }, { $cond: [crashed, 1, 0] }] };
  const charge = { $cond: [and(crashed, '$claim.quarantined'), ['$claim.token'], []] };
  const crashes = { $concatArrays: [{ $ifNull: ['$crashes', []] }, charge] };
  const isPoison = { $gte: [{ $size: '$crashes' }, CRASHES_OF_POISON] };
  const isOthers = and(not(equal('$claim', null)), not(equal('$claim.owner', literal(request.owner))));
  const wanted = and(equal('$source', source), isOthers);
  const markedAsWanted = { $mergeObjects: ['$claim', { wanted: true }] };

  return [
    {
      $set: {
        decision: { forget, taken, free: or(taken, and(unfinished, equal('$claim', null))) },
        deaths: { $cond: [forget, 0, deaths] },
        suspect: and(not(forget), or('$suspect', and(crashed, { $gte: [deaths, DEATHS_OF_SUSPECT] }))),
        crashes: { $cond: [forget, [], crashes] },
      },
    },
    {
      $set: {
        'decision.take': or(
          '$decision.forget',
          and('$decision.free', or(not('$suspect'), mayCallSuspect, request.draft === null, isPoison)),
        ),
        'decision.call': and(request.draft !== null, not(isPoison)),
      },
    },
    {
      $set: {
        source: ifTaken(source, '$source'),
        bodyHash: ifTaken(bodyHash, '$bodyHash'),
        claim: ifTaken(
          {
            token: literal(request.token),
            owner: literal(request.owner),
            at: new Date(now),
            quarantined: and('$suspect', '$decision.call'),
          },
          { $cond: ['$decision.taken', null, { $cond: [wanted, markedAsWanted, '$claim'] }] },
        ),
        outcome: ifTaken(null, '$outcome'),
        settled: ifTaken(false, '$settled'),
        settledReplays: ifTaken([], '$settledReplays'),
        unpublished: ifTaken('$$REMOVE', '$unpublished'),
        expiresAt: ifTaken(new Date(now + ttlMs), '$expiresAt'),
        attempts: { $cond: [or('$decision.take', '$decision.taken'), orphaned(), '$attempts'] },
      },
    },
    { $set: { attempts: withAttempt(request) } },
    { $unset: 'decision' },
  ];
}

const orphaned = () => ({
  $map: {
    input: '$attempts',
    in: {
      $mergeObjects: [
        '$$this',
        {
          disposition: { $cond: [equal('$$this.disposition', 'RUNNING'), 'ORPHANED', '$$this.disposition'] },
        },
      ],
    },
  },
});

function withAttempt(request: ClaimRequest): Document | string {
  if (request.draft === null) return '$attempts';
  const row = {
    $mergeObjects: [
      literal(runningAttempt(request.draft, 0)),
      { attempt: { $add: [{ $size: '$attempts' }, 1] } },
    ],
  };
  return {
    $cond: [and('$decision.take', '$decision.call'), { $concatArrays: ['$attempts', [row]] }, '$attempts'],
  };
}

type Expression = Document | string | number | boolean | null | Date | never[];

const ifTaken = (taken: Expression, otherwise: Expression) => ({
  $cond: ['$decision.take', taken, otherwise],
});
const equal = (left: Expression, right: Expression) => ({ $eq: [left, right] });
const and = (...expressions: Expression[]) => ({ $and: expressions });
const or = (...expressions: Expression[]) => ({ $or: expressions });
const not = (expression: Expression) => ({ $not: [expression] });
/** Values of publishers and providers are never read as expressions, even if they begin with a dollar sign. */
const literal = (value: unknown) => ({ $literal: value });
