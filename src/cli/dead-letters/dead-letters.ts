import { createSingleObjectCodec } from '../../adapters/avro/single-object-codec.ts';
import { readToEnd } from '../../adapters/kafka/consumer/topic-reader.ts';
import { KafkaRecordSink } from '../../adapters/kafka/produce/record-sink.ts';
import { createRequestLookup } from '../../adapters/mongo/ledger/known-requests.ts';
import { topicNames } from '../../contract/topics.ts';
import {
  type DeadLetter,
  type LetterFacts,
  letterFacts,
  placeOf,
  readDeadLetter,
} from '../../dead-letters/dead-letter.ts';
import { NotReplayable, replayLetter } from '../../dead-letters/replay-letter.ts';
import type { DecodeOptions } from '../../pipeline/intake/decode-request.ts';
import { type OutboundRecord, RecordRefused } from '../../ports/kafka.ts';
import type { RequestIdentity } from '../../ports/ledger.ts';
import { decodeOptions } from '../../roles/worker/decode-options.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';
import { requireKafka } from '../options/with-kafka.ts';
import { type Column, Listing, type Output } from '../output/listing.ts';

/** Longer than a broker needs to restart. */
const WRITE_LIMIT_MS = 60_000;

/** The selection of dead letters. */
export interface LetterFilter {
  /** By id (`3/17`); empty for all. */
  readonly ids: ReadonlySet<string>;
  /** By reason; empty for any reason. */
  readonly codes: ReadonlySet<string>;
  /** Written at this time or later, epoch ms. */
  readonly from: number;
  /** Written before this time, epoch ms. */
  readonly to: number;
}

const COLUMNS: readonly Column<LetterFacts>[] = [
  { name: 'letter', cell: ({ id }) => id },
  { name: 'time', cell: ({ time }) => time },
  { name: 'code', cell: ({ code }) => code },
  { name: 'source', cell: ({ source }) => (source === null ? null : placeOf(source)) },
  { name: 'key', cell: ({ key }) => key },
  { name: 'message', cell: ({ message }) => message },
];

/** `dead list`: a row for each letter, in the order of each partition. */
export async function listDeadLetters(tool: Tool, filter: LetterFilter, output: Output): Promise<void> {
  await requireKafka(tool);
  const listing = new Listing(tool, output, COLUMNS, (letter) => letter);
  await readLetters(tool, filter, (letter) => listing.add(letterFacts(letter)));
  await listing.end('there are no dead letters');
}

type Fate = 'published' | 'known' | 'not published';

interface ReplayRow {
  readonly id: string;
  readonly fate: string;
  readonly detail: string;
}

const REPLAY_COLUMNS: readonly Column<ReplayRow>[] = [
  { name: 'letter', cell: ({ id }) => id },
  { name: 'fate', cell: ({ fate }) => fate },
  { name: 'detail', cell: ({ detail }) => detail },
];

/**
 * `dead replay`: replays the requests of dead letters. If the ledger knows a request, its letter is skipped, so the command may be
 * run again after any failure.
 *
 * @returns whether every letter named by its id is published or answered
 */
export async function replayDeadLetters(
  tool: Tool,
  filter: LetterFilter,
  dryRun: boolean,
  output: Output,
): Promise<boolean> {
  await requireKafka(tool);
  const { config, logger } = tool;
  const codec = createSingleObjectCodec(config.limits.recordMaxBytes);
  const done = dryRun ? 'would be published' : 'published';
  const missing = new Set(filter.ids);
  const counts: Record<Fate, number> = { published: 0, known: 0, 'not published': 0 };
  const listing = new Listing(tool, output, REPLAY_COLUMNS, (row) => row);
  const tell = async (id: string, fate: Fate, detail: string) => {
    counts[fate] += 1;
    await listing.add({ id, fate: fate === 'published' ? done : fate, detail });
  };
  const deadTopic = topicNames(config.topics.prefix).dead;
  const sink = dryRun ? null : await KafkaRecordSink.connect(config.kafka, logger);
  try {
    await withDatabase(tool, async (db) => {
      const options = { deadTopic, decode: decodeOptions(config, codec), isKnown: createRequestLookup(db) };
      await readLetters(tool, filter, async (letter) => {
        missing.delete(letter.id);
        await tell(letter.id, ...(await replayOne(letter, sink, options)));
      });
    });
  } finally {
    await sink?.close();
  }
  for (const id of missing) await tell(id, 'not published', `there is no such letter in ${deadTopic}`);
  await listing.end('there are no such letters');
  const refused = counts['not published'];
  tool.printError(`${counts.published} ${done}, ${counts.known} known already, ${refused} not published\n`);
  return filter.ids.size === 0 || refused === 0;
}

type Sender = Pick<KafkaRecordSink, 'send'>;

interface ReplayOptions {
  readonly deadTopic: string;
  readonly decode: DecodeOptions;
  readonly isKnown: (identity: RequestIdentity) => Promise<boolean>;
}

/** @param sink null to publish nothing */
async function replayOne(
  letter: DeadLetter,
  sink: Sender | null,
  { deadTopic, decode, isKnown }: ReplayOptions,
): Promise<[fate: Fate, text: string]> {
  try {
    const { identity, record } = replayLetter(letter, deadTopic, decode);
    const name = `${identity.tenantId}/${identity.requestId}`;
    if (await isKnown(identity)) return ['known', `${name} is answered, or about to be`];
    if (sink !== null) await publish(letter.id, record, sink);
    return ['published', `${name} to ${record.topic}`];
  } catch (error) {
    if (error instanceof NotReplayable) return ['not published', error.message];
    throw error;
  }
}

/** Without a limit the sink would retry silently forever. */
async function publish(id: string, record: OutboundRecord, sink: Sender): Promise<void> {
  const limit = AbortSignal.timeout(WRITE_LIMIT_MS);
  try {
    await untilAborted(sink.send([record]), limit);
  } catch (cause) {
    if (cause instanceof RecordRefused)
      throw new Error(
        `${id} cannot be written to ${record.topic}: ${cause.message}; check the topic's max.message.bytes and the permission to write to it, then run this again: published letters are skipped`,
        { cause },
      );
    const seconds = WRITE_LIMIT_MS / 1_000;
    throw new Error(
      `${id} could not be written to ${record.topic} within ${seconds} s; check the brokers and the topic's max.message.bytes, then run this again: published letters are skipped`,
      { cause },
    );
  }
}

/** Reads the letters that match the filter, in the order of each partition. */
async function readLetters(
  { config, logger }: Tool,
  { ids, codes, from, to }: LetterFilter,
  onLetter: (letter: DeadLetter) => Promise<void>,
): Promise<void> {
  await readToEnd(config.kafka, logger, topicNames(config.topics.prefix).dead, async (record) => {
    const letter = readDeadLetter(record);
    const isAskedFor =
      (ids.size === 0 || ids.has(letter.id)) &&
      (codes.size === 0 || codes.has(letter.code ?? '')) &&
      letter.at >= from &&
      letter.at < to;
    if (isAskedFor) await onLetter(letter);
  });
}
