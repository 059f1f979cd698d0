import type { Adaptation } from '../../domain/parameters/adaptation.ts';
import type { CallPlan } from '../admission/plan-call.ts';
import type { OwnClaim } from '../claims/own-claim.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import type { OwnPermits } from './own-permits.ts';

/** A claimed request that is ready to be sent. */
export interface CallToMake {
  readonly job: RequestToHandle;
  readonly plan: CallPlan;
  /** Gets the row of each ended call, so that an abort finds what was used. */
  readonly claim: OwnClaim;
  readonly permits: OwnPermits;
  /** Changes of form that the provider's refusals of earlier calls asked for. */
  readonly adaptations?: readonly Adaptation[];
}
