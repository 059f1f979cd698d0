import { randomUUID } from 'node:crypto';
import { createPriceStore } from '../../../src/adapters/mongo/catalog/catalog-store.ts';
import { importPrices } from '../../../src/catalog/prices/import-prices.ts';
import type {
  ChatChunk,
  ChatRequestInput,
  ChatResponse,
  CostCalculated,
} from '../../../src/contract/record-types.ts';
import type { History } from '../history.ts';
import type { Worker } from '../worker.ts';
import { World } from '../world.ts';
import type { TestPrice } from './replay-exchange.ts';
import { type ReceivedCall, type ScriptedAnswer, ScriptedProvider } from './scripted-provider.ts';

/** A request and how the provider answers it. */
export interface Exchange {
  /** Fields of the Avro request; without them, and without a body, one user message to gpt-4o-mini. */
  readonly request?: Partial<ChatRequestInput>;
  /** Instead: the body of a Chat Completions request, published as JSON. */
  readonly body?: object;
  /** One answer, or one per call; the last one repeats. */
  readonly answer: ScriptedAnswer | readonly ScriptedAnswer[];
}

/** Everything that became of one request. */
export interface Outcome {
  readonly response: ChatResponse;
  /** Of the accepted attempt, by sequence, each once. Of a failed request: those of the last attempt that were read so far. */
  readonly chunks: readonly ChatChunk[];
  /** The text of the first choice as the chunks carry it. */
  readonly text: string;
  /** Null when nothing is billed. */
  readonly cost: CostCalculated | null;
  /** What the provider received. */
  readonly calls: readonly ReceivedCall[];
}

/** How the bytes of an answer arrive. */
export const WAYS = ['whole', 'byte by byte', 'with CRLF'] as const;
export type Way = (typeof WAYS)[number];

/** The service on Kafka and MongoDB in front of a provider whose answers are scripted byte for byte. Close it. */
export class ExchangeWorld {
  readonly world: World;
  readonly worker: Worker;
  readonly history: History;
  readonly #provider: ScriptedProvider;

  private constructor(world: World, worker: Worker, history: History, provider: ScriptedProvider) {
    this.world = world;
    this.worker = worker;
    this.history = history;
    this.#provider = provider;
  }

  /**
   * @param env of the worker, over one that retries at once and in which no failure holds back other requests
   * @param prices of models that the shipped catalog does not have
   */
  static async start(
    env: Readonly<Record<string, string>> = {},
    prices: Readonly<Record<string, TestPrice>> = {},
  ): Promise<ExchangeWorld> {
    const provider = await ScriptedProvider.start();
    const world = await World.create({
      partitions: 3,
      env: {
        AI_OPENAI_BASE_URL: provider.url,
        AI_OPENAI_RETRY_DELAY: '0',
        AI_OPENAI_OUTAGE: 'ignore',
        AI_DEFAULT_MODEL: 'gpt-4o-mini',
        ...env,
      },
    });
    const entries = Object.entries(prices).map(([model, components]) => ({
      provider: 'openai',
      model,
      currency: 'USD',
      effectiveFrom: '2020-01-01',
      components,
      source: 'https://example.com/pricing',
    }));
    const file = { name: 'exchanges.json', text: JSON.stringify(entries) };
    if (entries.length > 0) await importPrices(createPriceStore(world.database), file);
    return new ExchangeWorld(world, await world.startWorker(), await world.readHistory(), provider);
  }

  /** Publishes one request and waits for all that becomes of it. */
  async run(exchange: Exchange): Promise<Outcome> {
    const requestId = `exchange-${randomUUID()}`;
    this.#provider.script(requestId, [exchange.answer].flat());
    await this.#publish(requestId, exchange);
    const response = await this.history.untilAnswerTo(requestId);
    const chunks = this.#chunksOf(response);
    return {
      response,
      chunks,
      text: chunks.map(({ choiceIndex, content }) => (choiceIndex === 0 ? content : '')).join(''),
      cost: this.history.costs.find(({ value }) => value.requestId === requestId)?.value ?? null,
      calls: this.#provider.callsOf(requestId),
    };
  }

  /** The same exchange with the answer's bytes in each of the ways, side by side. */
  async runEachWay(exchange: Exchange): Promise<readonly (Outcome & { readonly way: Way })[]> {
    const answers = [exchange.answer].flat();
    return await Promise.all(
      WAYS.map(async (way) => ({
        way,
        ...(await this.run({ ...exchange, answer: answers.map((answer) => sentIn(way, answer)) })),
      })),
    );
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.#provider.close();
  }

  async #publish(requestId: string, { request, body }: Exchange): Promise<void> {
    if (body !== undefined) {
      const headers = { 'request-id': requestId };
      await this.world.publishRaw(Buffer.from(JSON.stringify(body)), { key: requestId, headers });
      return;
    }
    const fields = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }], ...request };
    await this.world.publish([{ key: requestId, request: { requestId, ...fields } }]);
  }

  #chunksOf({ requestId, acceptedAttempt }: ChatResponse): ChatChunk[] {
    const own = this.history.chunks
      .map(({ value }) => value)
      .filter((chunk) => chunk.requestId === requestId);
    const attempt = acceptedAttempt ?? Math.max(...own.map((chunk) => chunk.attempt));
    const bySequence = new Map(
      own.filter((chunk) => chunk.attempt === attempt).map((chunk) => [chunk.sequence, chunk]),
    );
    return [...bySequence.values()].sort((one, other) => one.sequence - other.sequence);
  }
}

/** Bytes that are no text, as those of gzip, have no lines to end otherwise. */
export function sentIn(way: Way, answer: ScriptedAnswer): ScriptedAnswer {
  const { body } = answer;
  if (way === 'byte by byte') return { ...answer, sliceBytes: 1 };
  if (way === 'whole' || typeof body !== 'string') return answer;
  return { ...answer, body: body.replace(/\r?\n/g, '\r\n') };
}

/** The body of an event stream: one event for each object or text, without `[DONE]` unless it is among them. */
export function events(...data: readonly (object | string)[]): string {
  return data
    .map((datum) => `data: ${typeof datum === 'string' ? datum : JSON.stringify(datum)}\n\n`)
    .join('');
}
