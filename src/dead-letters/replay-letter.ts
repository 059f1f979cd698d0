import { isJsonObject } from '../pipeline/intake/decode-json-request.ts';
import { asUndecodable, type DecodeOptions, decodeRequest } from '../pipeline/intake/decode-request.ts';
import type { InboundRecord, OutboundRecord, RecordHeaders } from '../ports/kafka.ts';
import type { RequestIdentity } from '../ports/ledger.ts';
import type { DeadLetter } from './dead-letter.ts';

/** What a request id may have, at most. */
const REQUEST_ID_CHARACTERS = 128;

/** The header that names the letter that a record was made of. */
const REPLAY_OF_HEADER = 'replay-of';

/** What a letter becomes when it is published once more. */
export interface Replay {
  readonly identity: RequestIdentity;
  readonly record: OutboundRecord;
}

/** The letter cannot be published once more. The message says why, and the way out. */
export class NotReplayable extends Error {
  override readonly name = 'NotReplayable';
}

/**
 * The request of a letter as a record for the topic that it came from, under its key. It is the same record whenever it is
 * made, so that a letter that is replayed twice is a publisher's repetition.
 *
 * What could not be read has never been a request, and keeps its id. A request that killed its workers has had its outcome
 * and its bill under its own id, so it is published under another one that is made of it (docs/decisions/0032).
 *
 * @param decode how the service reads: what it cannot read would only die again
 * @throws NotReplayable
 */
export function replayLetter(letter: DeadLetter, deadTopic: string, decode: DecodeOptions): Replay {
  const record = recordOf(letter, decode);
  const { request, problems } = decodeAgain(record, decode);
  const isPoison = letter.code === 'poison';
  const requestId = isPoison ? replayId(request.requestId, letter.id) : request.requestId;
  const headers: RecordHeaders = { ...record.headers, [REPLAY_OF_HEADER]: `${deadTopic}/${letter.id}` };
  let { value } = record;
  // Without the header the id would follow from the place that it is published to now.
  if (isJsonObject(value)) headers['request-id'] = requestId;
  else if (isPoison) {
    const [unknown] = problems.filter(({ code }) => code === 'unknown_field');
    if (unknown !== undefined)
      throw new NotReplayable(
        `${unknown.path} was set by a newer writer and would be lost; upgrade this command first`,
      );
    value = decode.codec.encode('ChatRequest', { ...request, requestId });
  }
  return {
    identity: { tenantId: request.tenantId, requestId },
    record: { topic: record.topic, key: record.key, value, headers },
  };
}

/** The record as it lay in the request topic; its time there is not known, so it has the letter's. */
function recordOf(letter: DeadLetter, { tenantOfTopic }: DecodeOptions): InboundRecord {
  const { source, at, key, value, headers } = letter;
  if (source === null)
    throw new NotReplayable('it does not say where it came from: the service did not write it');
  if (!tenantOfTopic.has(source.topic))
    throw new NotReplayable(
      `it came from ${source.topic}, which is none of ${[...tenantOfTopic.keys()].join(', ')} (CHAT_REQUEST_TOPICS)`,
    );
  if (letter.isWithoutValue)
    throw new NotReplayable(
      'the dead letter has no value (header dead-value-omitted); publish the record again from its source',
    );
  return { ...source, timestamp: at, key, value, headers };
}

function decodeAgain(record: InboundRecord, decode: DecodeOptions) {
  try {
    return decodeRequest(record, decode);
  } catch (error) {
    const { code, message } = asUndecodable(error);
    throw new NotReplayable(`it still cannot be read: ${code}: ${message}`, { cause: error });
  }
}

function replayId(requestId: string, letterId: string): string {
  const suffix = `-replay-${letterId.replace('/', '-')}`;
  return `${requestId.slice(0, REQUEST_ID_CHARACTERS - suffix.length)}${suffix}`;
}
