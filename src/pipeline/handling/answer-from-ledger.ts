import type { RecordCodec } from '../../contract/codec.ts';
import { eventId } from '../../contract/event-id.ts';
import { internalFailure } from '../../domain/failures/refusals.ts';
import type { StoredOutcome } from '../../ports/ledger.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ClaimAnswer } from '../claims/claims.ts';
import type { RequestToHandle } from '../intake/decode-request.ts';
import {
  decodeOutcome,
  outcomeEvents,
  type RequestOutcome,
  replayEvents,
} from '../outcome/encode-outcome.ts';
import { type HandledRequest, handled } from '../outcome/handled-request.ts';
import { type RefuseOptions, refuse } from './refuse-request.ts';

export interface LedgerAnswerOptions extends RefuseOptions {
  readonly logger: Logger;
}

type DoneClaim = Extract<ClaimAnswer, { kind: 'done' }>;

/** The outcome as the ledger has it: the original once more, a replay, or nothing if it is already visible. */
export function answerFromLedger(
  job: RequestToHandle,
  claim: DoneClaim,
  options: LedgerAnswerOptions,
): HandledRequest {
  const stored: StoredOutcome = claim.outcome;
  const outcome = tryDecode(job, stored, options);
  if (outcome === null) return withoutReading(job, claim, options);
  if (claim.settled) return { ...handled(job, outcome, [], options, claim.replay), inLedger: false };
  const events = claim.replay ? replayEvents(outcome, options.codec) : outcomeEvents(outcome, stored);
  return handled(job, outcome, events, options, claim.replay);
}

function tryDecode(
  { accepted }: RequestToHandle,
  stored: StoredOutcome,
  { codec, logger }: LedgerAnswerOptions,
): RequestOutcome | null {
  try {
    return decodeOutcome(stored, codec);
  } catch (error) {
    const { requestId, tenantId } = accepted.request;
    logger.error({ err: error, requestId, tenantId }, 'outcome in the ledger cannot be read');
    return null;
  }
}

function billIdOf(bill: Uint8Array, codec: RecordCodec): string | null {
  try {
    return codec.decode('CostCalculated', bill).record.eventId;
  } catch {
    return null;
  }
}

/** An outcome in the ledger that cannot be read: its bill is published as stored, with a failure in place of the answer. */
function withoutReading(
  job: RequestToHandle,
  { outcome, replay, settled }: DoneClaim,
  options: LedgerAnswerOptions,
): HandledRequest {
  const failed = refuse(job, options, internalFailure());
  if (settled) return { ...failed, records: [] };
  if (replay || outcome.cost === null) return failed;
  const { request, record } = job.accepted;
  const id =
    billIdOf(outcome.cost, options.codec) ??
    eventId(request.tenantId, request.requestId, 'CostCalculated', 'unread');
  const bill = options.outputs.settled(
    { name: 'CostCalculated', eventId: id, at: record.timestamp, value: outcome.cost },
    { record, orderKey: job.accepted.orderKey, trace: job.trace },
  );
  return {
    ...failed,
    bill,
    records: [...failed.records, bill],
    recordsIfRefused: () => [...failed.recordsIfRefused(), bill],
    recordsOfLastResort: () => [...failed.recordsOfLastResort(), bill],
  };
}
