import { ROOT_CONTEXT } from '@opentelemetry/api';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import { handleRequest } from '../../../src/pipeline/handling/handle-request.ts';
import {
  asUndecodable,
  type DecodeOptions,
  decodeRequest,
} from '../../../src/pipeline/intake/decode-request.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import { runningSeat } from '../../support/fakes/admission.ts';
import { Handling } from '../../support/fakes/handling.ts';
import { codec, RECORD_MAX_BYTES } from '../generate/other-records.ts';
import { randomRecord } from '../generate/random-record.ts';
import { asInbound } from '../wire/raw-record.ts';
import { checkLastForm, checkOutcome } from './check-outcome.ts';
import { Finding, type Target } from './target.ts';

const TOPIC = 'chat.requests';
const BOUND_TOPIC = 'chat.requests.acme';
/** Number of inputs after which the growing in-memory ledger and sink are replaced. */
const RECORDS_PER_HANDLING = 500;
/** One in this many records comes twice, because publishers retry. */
const REPEATED = 10;

/** Pushes records through decoding, validation, planning, call and outcome, with a provider that always answers. */
export async function createTarget(seed: number): Promise<Target> {
  const decode: DecodeOptions = {
    codec,
    readBody,
    jsonMaxBytes: RECORD_MAX_BYTES,
    tenantOfTopic: new Map([
      [TOPIC, null],
      [BOUND_TOPIC, 'acme'],
    ]),
  };
  const { schemas } = new Handling().options;
  const fresh = () =>
    new Handling(undefined, {
      schemas,
      codec,
      recordMaxBytes: RECORD_MAX_BYTES,
    });
  let handling = fresh();

  async function run(index: number): Promise<string> {
    if (index % RECORDS_PER_HANDLING === 0) handling = fresh();
    const topic = index % 7 === 0 ? BOUND_TOPIC : TOPIC;
    const place = { topic, partition: index % 6, offset: index, timestamp: handling.clock.now() - 40 };
    const record = asInbound(randomRecord(seed, index), place);
    const outcome = await handle(record, handling, decode);
    if (index % REPEATED === 0) await handle({ ...record, offset: index + 0.5 }, handling, decode);
    return outcome;
  }

  return { run, close: async () => undefined };
}

/** Runs the steps of the pipeline. */
async function handle(record: InboundRecord, handling: Handling, decode: DecodeOptions): Promise<string> {
  const { outputs } = handling.options;
  let accepted: ReturnType<typeof decodeRequest>;
  try {
    accepted = decodeRequest(record, decode);
  } catch (error) {
    const reason = asUndecodable(error);
    const letter = outputs.dead(record, reason);
    checkOutcome([letter]);
    checkOutcome([outputs.deadWithoutValue(letter)]);
    checkLastForm([outputs.deadMinimal(letter)]);
    return `dead ${reason.code}`;
  }
  const job = {
    accepted,
    acceptedAt: handling.clock.now(),
    acceptedMonotonic: handling.clock.monotonic(),
    cancelled: new AbortController().signal,
    trace: ROOT_CONTEXT,
    memory: handling.memory.open(0),
    seat: runningSeat(handling.options.admission),
    givenUp: null,
  };
  try {
    const handled = await handleRequest(job, handling.handler, handling.stop.signal);
    const response = checkOutcome(handled.records);
    checkOutcome(
      handled.recordsIfRefused().filter(({ topic }) => topic !== outputs.topics.dead),
      true,
    );
    checkLastForm(handled.recordsOfLastResort());
    if (response === null) return 'poison';
    return `${response.status}${response.error === null ? '' : ` ${response.error.code}`}`;
  } catch (error) {
    if (error instanceof Finding) throw error;
    throw new Finding(
      'handling threw',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  }
}
