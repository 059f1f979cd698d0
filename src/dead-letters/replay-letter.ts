import { isJsonObject } from '../pipeline/intake/decode-json-request.ts';
import { asUndecodable, type DecodeOptions, decodeRequest } from '../pipeline/intake/decode-request.ts';
import type { InboundRecord, OutboundRecord, RecordHeaders } from '../ports/kafka.ts';
import type { RequestIdentity } from '../ports/ledger.ts';
import type { DeadLetter } from './dead-letter.ts';

/** The longest request id. */
const REQUEST_ID_CHARACTERS = 128;

/** The header that names the dead letter that a record was made of. */
const REPLAY_OF_HEADER = 'replay-of';

/** The result of replaying a dead letter. */
export interface Replay {
  readonly identity: RequestIdentity;
  readonly record: OutboundRecord;
}

/** The dead letter cannot be replayed. The message says why, and what to do. */
export class NotReplayable extends Error {
  override readonly name = 'NotReplayable';
}

/**
 * Makes the request of a dead letter into a record for the topic that it came from, under its key. The record is always the same,
 * so replaying a letter twice is a repeated request.
 *
 * A record that could not be read was never a request, and keeps its id. A request that crashed its workers already has an
 * outcome and a bill under its id. It is published under another id that is derived from the first (docs/decisions/0032).
 *
 * @param decode as the service decodes: a record that it cannot read would only be dead-lettered again
 * @throws NotReplayable
 */
export function replayLetter(letter: DeadLetter, deadTopic: string, decode: DecodeOptions): Replay {
  const record = recordOf(letter, decode);
  const { request, problems } = decodeAgain(record, decode);
  const isPoison = letter.code === 'poison';
  const requestId = isPoison ? replayId(request.requestId, letter.id) : request.requestId;
  const headers: RecordHeaders = { ...record.headers, [REPLAY_OF_HEADER]: `${deadTopic}/${letter.id}` };
  let { value } = record;
  // Without the header the id would follow from the record's new position.
  if (isJsonObject(value)) headers['request-id'] = requestId;
  else if (isPoison) {
    const [unknown] = problems.filter(({ code }) => code === 'unknown_field');
    if (unknown !== undefined)
      throw new NotReplayable(
        `a newer writer set ${unknown.path}, which would be lost; upgrade this command first`,
      );
    value = decode.codec.encode('ChatRequest', { ...request, requestId });
  }
  return {
    identity: { tenantId: request.tenantId, requestId },
    record: { topic: record.topic, key: record.key, value, headers },
  };
}

/** The record as it was in the request topic. Its time there is unknown, so it has the dead letter's. */
function recordOf(letter: DeadLetter, { tenantOfTopic }: DecodeOptions): InboundRecord {
  const { source, at, key, value, headers } = letter;
  if (source === null)
    throw new NotReplayable('its headers do not name its source: the service did not write it');
  if (!tenantOfTopic.has(source.topic))
    throw new NotReplayable(
      `it came from ${source.topic}, which is not one of ${[...tenantOfTopic.keys()].join(', ')} (CHAT_REQUEST_TOPICS)`,
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
