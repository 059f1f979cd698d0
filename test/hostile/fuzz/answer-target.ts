import { createOpenAiProvider } from '../../../src/adapters/openai/openai-provider.ts';
import type { ChatChunk, ChatRequestInput } from '../../../src/contract/record-types.ts';
import { chunks as checkChunks } from '../../faults/checks/chunks.ts';
import { Handling } from '../../support/fakes/handling.ts';
import { codec, RECORD_MAX_BYTES } from '../generate/other-records.ts';
import { randomAnswer } from '../generate/random-answer.ts';
import { startAnswerServer } from './answer-server.ts';
import { checkOutcome, readEvents } from './check-outcome.ts';
import { Finding, type Target } from './target.ts';

/** Number of inputs after which the growing in-memory ledger and sink are replaced. */
const ANSWERS_PER_HANDLING = 200;
/** No answer here is silent for this long. An answer that takes longer never ends. */
const PATIENCE_MS = 3_000;

const tools: ChatRequestInput['tools'] = [
  {
    name: 'get_weather',
    parametersJson:
      '{"type":"object","properties":{"city":{"type":"string","pattern":"^[A-Z]"}},"required":["city"]}',
  },
];

/** Pushes answers through a socket, the provider's adapter, the fold, the chunks, the check of the answer and the outcome. */
export async function createTarget(seed: number): Promise<Target> {
  const server = await startAnswerServer((id) => {
    const index = Number(/^fuzz-(\d+)\//.exec(id)?.[1]);
    return randomAnswer(seed, index, isStreamed(index));
  });
  const provider = createOpenAiProvider({
    apiKey: 'sk-test',
    baseUrl: server.url,
    organization: null,
    project: null,
  });
  const base = new Handling().options;
  const fresh = () =>
    new Handling(undefined, {
      schemas: base.schemas,
      codec,
      recordMaxBytes: RECORD_MAX_BYTES,
      providers: new Map([[provider.name, provider]]),
      policy: { ...base.policy, retryAttempts: 0, firstTokenTimeoutMs: 400, idleTimeoutMs: 200 },
    });
  let handling = fresh();

  async function run(index: number): Promise<string> {
    if (index % ANSWERS_PER_HANDLING === 0) handling = fresh();
    try {
      return await answerOne(handling, index);
    } catch (error) {
      // The finding may have left the target unusable.
      handling = fresh();
      throw error;
    }
  }

  return {
    run,
    close: async () => {
      await provider.close();
      await server.close();
    },
  };
}

function isStreamed(index: number): boolean {
  return index % 6 !== 0;
}

async function answerOne(handling: Handling, index: number): Promise<string> {
  handling.sink.sends.length = 0;
  const record = handling.record({
    requestId: `fuzz-${index}`,
    stream: isStreamed(index),
    tools: index % 3 === 0 ? tools : [],
  });
  const handled = await inTime(handling.handle(record));
  const response = checkOutcome(handled.records, true);
  if (response === null) throw new Finding('not one outcome', 'a dead letter');
  const events = readEvents(handling.published());
  const chunks = events
    .filter(({ name }) => name === 'ChatChunk')
    .map(({ record: chunk }) => chunk as ChatChunk);
  const source = { partition: 0, key: null };
  const breaches = checkChunks({
    requests: [],
    vanished: [],
    expected: new Map(),
    responses: [{ value: response, source }],
    generated: [],
    costs: [],
    chunks: renumbered(chunks).map((value) => ({ value, source })),
    dead: [],
    calls: [],
    patienceMs: 0,
    positions: [],
    allowances: {
      deaths: 0,
      lostCalls: false,
      lostRecords: false,
      refusedAnswers: false,
      providerFails: true,
    },
  });
  const [breach] = breaches;
  if (breach !== undefined)
    throw new Finding(`chunks: ${breach.replace(/^[^:]*: /, '').replace(/\d+/g, 'N')}`, breach);
  if (response.status === 'COMPLETED' && response.omitted.length > 0 && response.chunkCount === 0)
    throw new Finding(
      'cut without a copy',
      `COMPLETED without ${response.omitted.join(', ')}, which no chunk has`,
    );
  return `${response.status}${response.error === null ? '' : ` ${response.error.code}`}`;
}

/** Providers may omit indexes. The check expects the position among a choice's calls. */
function renumbered(chunks: readonly ChatChunk[]): ChatChunk[] {
  const indexes = new Map<number, Set<number>>();
  for (const { choiceIndex, toolCalls } of chunks) {
    const own = indexes.get(choiceIndex) ?? new Set();
    indexes.set(choiceIndex, own);
    for (const { index } of toolCalls) own.add(index);
  }
  const places = new Map(
    [...indexes].map(([choice, own]) => [choice, [...own].sort((one, other) => one - other)] as const),
  );
  return chunks.map((chunk) => ({
    ...chunk,
    toolCalls: chunk.toolCalls.map((call) => ({
      ...call,
      index: places.get(chunk.choiceIndex)?.indexOf(call.index) ?? call.index,
    })),
  }));
}

/** @throws {Finding} when there is no outcome in time */
async function inTime<T>(outcome: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Finding('no outcome', `none within ${PATIENCE_MS / 1_000} s`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([outcome, late.promise]);
  } catch (error) {
    if (error instanceof Finding) throw error;
    throw new Finding(
      'handling threw',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  } finally {
    clearTimeout(timer);
  }
}
