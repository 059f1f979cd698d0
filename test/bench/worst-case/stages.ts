import { IsolatedSchemaChecker } from '../../../src/adapters/json-schema/schema-checker.ts';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import { mapRequest } from '../../../src/adapters/openai/request/map-request.ts';
import { loadCounter } from '../../../src/adapters/tokenizer/load-counter.ts';
import { createTokenCounter } from '../../../src/adapters/tokenizer/token-counter.ts';
import type { RecordCodec } from '../../../src/contract/codec.ts';
import type { Problem } from '../../../src/contract/record-types.ts';
import { UndecodableRecord } from '../../../src/contract/undecodable-record.ts';
import { ChatFailure } from '../../../src/domain/failures/chat-failure.ts';
import { invalidRequest } from '../../../src/domain/failures/refusals.ts';
import type { EncodingName } from '../../../src/domain/tokens/token-rules.ts';
import { type CallPlan, countingExactly, planCall } from '../../../src/pipeline/admission/plan-call.ts';
import { checkDefinitions } from '../../../src/pipeline/handling/check-definitions.ts';
import { validateRequest } from '../../../src/pipeline/handling/validate-request.ts';
import { type AcceptedRequest, decodeRequest } from '../../../src/pipeline/intake/decode-request.ts';
import { requestBodyHash } from '../../../src/pipeline/intake/request-identity.ts';
import { buildResponse } from '../../../src/pipeline/outcome/build-response.ts';
import { startTrace } from '../../../src/pipeline/request-entry.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import type { ChatProvider } from '../../../src/ports/provider.ts';
import type { TokenCounter } from '../../../src/ports/tokens.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { FakeCatalog, modelInfo, priceOf } from '../../support/fakes/fake-catalog.ts';
import { specified } from '../../support/fakes/handling.ts';
import { cpuMs, longestTurnMs } from './processor-time.ts';

/** Processor time of a stage between two turns of the event loop, in milliseconds. */
export type StageTimes = ReadonlyMap<string, number>;

const loaded = new Map<EncodingName, ReturnType<typeof loadCounter>>();

/** With caches of its own, which would hide what a text costs the first time. */
export function freshTokenCounter(): Promise<TokenCounter> {
  return createTokenCounter((encoding) => {
    const counter = loaded.get(encoding) ?? loadCounter(encoding);
    loaded.set(encoding, counter);
    return counter;
  });
}

const catalog = new FakeCatalog();
for (const id of ['gpt-4o', 'model-asked-for']) {
  catalog.models.set(`openai/${id}`, modelInfo(id, { contextWindow: 1_000_000 }));
  catalog.prices.push(priceOf(id));
}
const schemas = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
schemas.start();
const neverStops = new AbortController().signal;
const provider = { name: 'openai', account: 'default' } as ChatProvider;
const defaults = {
  provider: 'openai',
  model: 'gpt-4o',
  temperature: specified(1),
  maxOutputTokens: specified(100),
};

/** The way of a record from its bytes to the body that is sent, or to its refusal, stage by stage. */
export async function runStages(
  record: InboundRecord,
  codec: RecordCodec,
  maxBytes: number,
): Promise<StageTimes> {
  const times = new Map<string, number>();
  const timed = <T>(stage: string, work: () => T): T => {
    const began = cpuMs();
    try {
      return work();
    } finally {
      times.set(stage, cpuMs() - began);
    }
  };
  const tokens = await freshTokenCounter();
  const decode = {
    codec,
    readBody,
    jsonMaxBytes: maxBytes,
    tenantOfTopic: new Map([['chat.requests', null]]),
  };

  // 1 In the consumer's callback.
  const accepted = timed('decode', () => {
    try {
      return decodeRequest(record, decode);
    } catch (error) {
      if (error instanceof UndecodableRecord) return null;
      throw error;
    }
  });
  if (accepted === null) return times;
  timed('trace', () => startTrace(accepted, 'group').span.end());

  // 2 What is wrong with it.
  const { request } = accepted;
  const wrong = timed('validate', () => [
    ...accepted.problems,
    ...validateRequest(request, accepted.problems),
  ]);
  await longestTurnMs(async () => {
    wrong.push(...(await checkDefinitions(request, schemas, wrong, neverStops)));
  }).then((ms) => times.set('definitions', ms));
  if (wrong.length > 0) {
    timed('refuse', () => refusal(accepted, wrong, codec));
    return times;
  }

  // 3 What is called, and under which identity.
  const plan = timed('plan', (): CallPlan | null => {
    try {
      return planCall(
        request,
        new Map([['openai', provider]]),
        catalog,
        defaults,
        0,
        countingExactly(tokens),
      );
    } catch (error) {
      if (error instanceof ChatFailure) return null;
      throw error;
    }
  });
  timed('hash', () => requestBodyHash(request));
  if (plan === null) return times;

  // 4 What is sent.
  const { model, temperature, maxOutputTokens } = plan;
  timed('map', () => {
    try {
      const call = { request, model, temperature, maxOutputTokens };
      return JSON.stringify(mapRequest(call as never, { includeObfuscationOption: true }));
    } catch (error) {
      if (error instanceof ChatFailure) return null;
      throw error;
    }
  });
  return times;
}

function refusal({ request }: AcceptedRequest, wrong: readonly Problem[], codec: RecordCodec): Buffer {
  const response = buildResponse({
    request,
    answer: null,
    failure: invalidRequest(wrong),
    requestedModel: request.model,
    provider: request.provider,
    warnings: [],
    attempts: 0,
    cost: null,
    createdAt: 0,
    queuedMs: 0,
    totalMs: 0,
    refusedAt: 'chat.requests/0/7',
  });
  return codec.encode('ChatResponse', response);
}
