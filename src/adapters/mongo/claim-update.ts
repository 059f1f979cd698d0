import type { Document } from 'mongodb';
import type { ClaimRequest } from '../../ports.ts';
import { DEATHS_OF_POISON, runningAttempt, sourceId } from './request-row.ts';

/**
 * The update that decides a claim on a row that exists, and carries it out, in one atomic step:
 *
 * ```
 * row                                              | becomes
 * -------------------------------------------------+------------------------------------------------------------
 * outcome not remembered, from another source      | claimed afresh: new body, deaths 0; attempt numbers go on
 * released (no claim, no outcome), same request    | claimed
 * claimed by the dead owner, same request          | claimed, deaths + 1
 * anything else (done, conflict, held, ours)       | unchanged
 * ```
 *
 * "Same request" is the same body, or the very same record: that one cannot have changed, whatever a newer version's
 * hash says. Whoever claims, for whatever reason, finds every call of earlier claims complete: those still RUNNING
 * become ORPHANED. The claimant's record becomes the row's source, so the one that makes the outcome is the one billed.
 * After too many deaths the claim is taken without an attempt: no call may be made.
 */
export function claimUpdate(request: ClaimRequest, ttlMs: number): Document[] {
  const source = literal(sourceId(request.source));
  const bodyHash = literal(request.bodyHash);
  const now = request.now;

  const forget = and(equal('$outcome.remembered', false), not(equal('$source', source)));
  const unfinished = and(equal('$outcome', null), or(equal('$source', source), equal('$bodyHash', bodyHash)));
  const takeOver = and(unfinished, equal('$claim.owner', literal(request.deadOwner)));
  const free = and(unfinished, equal('$claim', null));

  return [
    { $set: { decision: { forget, takeOver, take: or(forget, takeOver, free) } } },
    {
      $set: {
        deaths: {
          $cond: ['$decision.forget', 0, { $add: ['$deaths', { $cond: ['$decision.takeOver', 1, 0] }] }],
        },
        source: ifTaken(source, '$source'),
        bodyHash: ifTaken(bodyHash, '$bodyHash'),
        claim: ifTaken(literal({ token: request.token, owner: request.owner, at: new Date(now) }), '$claim'),
        outcome: ifTaken(null, '$outcome'),
        settled: ifTaken(false, '$settled'),
        settledReplays: ifTaken([], '$settledReplays'),
        unpublished: ifTaken('$$REMOVE', '$unpublished'),
        expiresAt: ifTaken(new Date(now + ttlMs), '$expiresAt'),
        attempts: ifTaken(orphaned(), '$attempts'),
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
  const mayCall = and('$decision.take', { $lt: ['$deaths', DEATHS_OF_POISON] });
  return { $cond: [mayCall, { $concatArrays: ['$attempts', [row]] }, '$attempts'] };
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
