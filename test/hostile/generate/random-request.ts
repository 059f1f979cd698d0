import type {
  ChatRequestInput,
  ContentPartInput,
  MessageInput,
  ToolInput,
} from '../../../src/contract/record-types.ts';
import type { Random } from '../../faults/random.ts';
import { objectOf, oddName, oddNumber, oddText, oddValue, word } from './random-values.ts';

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const;
const PARTS = ['text', 'image_url', 'input_audio', 'file', 'refusal'] as const;
const MODELS = ['gpt-4', 'gpt-4o', 'gpt-3.5-turbo', 'o3-mini'] as const;

/** A request that fits its schema: as its publisher should write it, with odd values where `odd` allows them. */
export function randomRequest(random: Random, requestId: string, odd: number): ChatRequestInput {
  const may = <T>(probability: number, make: () => T): T | undefined =>
    random.chance(probability) ? make() : undefined;
  const text = () => (random.chance(odd) ? oddText(random) : word(random));
  const double = (most: number) => (random.chance(odd) ? oddNumber(random) : random.next() * most);
  const int = (most: number) =>
    random.chance(odd) ? random.between(-(2 ** 31), 2 ** 31 - 1) : random.between(1, most);
  return {
    requestId: random.chance(odd / 4) ? oddText(random) : requestId,
    tenantId: may(0.3, text),
    conversationId: may(0.3, text),
    userId: may(0.1, text),
    provider: may(odd / 4, text),
    model: may(0.5, () => (random.chance(odd / 4) ? oddText(random) : random.pick(MODELS))),
    fallbackModels: may(odd / 4, () => [text()]),
    messages: Array.from({ length: random.chance(odd / 10) ? 0 : random.between(1, 3) }, () =>
      randomMessage(random, odd),
    ),
    history: may(odd / 8, () => random.pick(['NONE', 'STORED'] as const)),
    tools: may(0.15, () => [randomTool(random, odd)]),
    toolChoice: may(odd / 6, () => ({ mode: random.pick(['none', 'auto', 'required', text()]) })),
    parallelToolCalls: may(odd / 8, () => random.chance(0.5)),
    legacyFunctions: may(odd / 8, () => random.chance(0.5)),
    responseFormat: may(0.1, () => ({
      type: random.pick(['text', 'json_object', 'json_schema']),
      name: text(),
      schemaJson: randomSchema(random, odd),
    })),
    temperature: may(0.2, () => double(2)),
    topP: may(0.1, () => double(1)),
    maxOutputTokens: may(0.2, () => int(4_000)),
    stop: may(0.1, () => [text()]),
    seed: may(0.1, () => (random.chance(odd) ? clamped(oddNumber(random)) : 7)),
    presencePenalty: may(0.1, () => double(2)),
    logitBias: may(odd / 4, () =>
      Object.fromEntries(
        Array.from({ length: random.between(0, 20) }, () => [
          random.chance(0.8) ? `${int(50_000)}` : word(random),
          double(100),
        ]),
      ),
    ),
    logprobs: may(0.05, () => random.chance(0.5)),
    topLogprobs: may(odd / 8, () => int(20)),
    n: may(0.1, () => int(3)),
    reasoningEffort: may(odd / 8, text),
    serviceTier: may(0.05, text),
    modalities: may(odd / 8, () => [random.pick(['text', 'audio', text()])]),
    audio: may(odd / 8, () => ({ format: text(), voice: text() })),
    providerMetadata: may(odd / 8, () => ({ [word(random)]: text() })),
    webSearch: may(odd / 8, () => ({ country: text() })),
    stream: may(0.3, () => random.chance(0.5)),
    deadline: may(0.05, () => (random.chance(0.5) ? Date.UTC(2030, 0, 1) : random.between(-1, 2 ** 31))),
    maxCost: may(0.1, () => (random.chance(odd) ? oddText(random) : '100')),
    maxCostCurrency: may(odd / 8, () => random.pick(['USD', text()])),
    labels: may(0.2, () =>
      Object.fromEntries([[random.chance(odd / 2) ? safeName(random) : word(random), text()]]),
    ),
    extraJson: may(odd / 4, () => JSON.stringify(objectOf([[oddName(random), oddValue(random)]]))),
  };
}

/** The writer's longs are those that a double holds exactly. */
function clamped(value: number): number {
  return Math.trunc(Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value)));
}

/** The writer of Avro here takes plain objects: `__proto__` comes with mutated bytes and JSON alone. */
function safeName(random: Random): string {
  const name = oddName(random);
  return name === '__proto__' ? 'constructor' : name;
}

function randomMessage(random: Random, odd: number): MessageInput {
  const role = random.chance(odd) ? random.pick([...ROLES, oddText(random)]) : 'user';
  const text = () => (random.chance(odd) ? oddText(random) : word(random, 40));
  if (random.chance(0.7)) return { role, content: text() };
  if (random.chance(0.7))
    return { role, parts: Array.from({ length: random.between(1, 3) }, () => randomPart(random, odd)) };
  return {
    role: 'assistant',
    content: random.chance(0.5) ? text() : null,
    toolCalls: [
      { id: text(), type: random.pick(['function', 'custom', text()]), name: text(), arguments: text() },
    ],
    toolCallId: random.chance(odd) ? text() : null,
    name: random.chance(odd) ? text() : null,
  };
}

function randomPart(random: Random, odd: number): ContentPartInput {
  const type = random.chance(odd) ? random.pick([...PARTS, oddText(random)]) : 'text';
  const text = () => (random.chance(odd) ? oddText(random) : word(random));
  return {
    type,
    text: type === 'text' || random.chance(odd) ? text() : null,
    url: type === 'image_url' ? random.pick(['https://example.com/a.png', oddText(random)]) : null,
    data: random.chance(odd / 2) ? randomBytes(random, 200) : null,
    mediaType: random.chance(odd) ? text() : null,
    format: type === 'input_audio' ? random.pick(['wav', 'mp3', text()]) : null,
  };
}

function randomTool(random: Random, odd: number): ToolInput {
  return {
    type: random.chance(odd) ? random.pick(['function', 'custom', oddText(random)]) : 'function',
    name: random.chance(odd) ? oddText(random) : word(random),
    parametersJson: random.chance(0.8) ? randomSchema(random, odd) : null,
    strict: random.chance(odd) ? true : null,
  };
}

const PATTERNS = [
  '^a+$',
  '(a+)+$',
  '(?<=a)b',
  '[\\u0000-\\uffff]{1,50}',
  '(',
  '\\p{L}',
  '(?:(?:)*)*',
] as const;

/** Mostly from a small set, as callers' schemas repeat: compiling is not what is tried here. */
function randomSchema(random: Random, odd: number): string {
  if (!random.chance(odd)) return '{"type":"object","properties":{"city":{"type":"string"}}}';
  const choice = random.next();
  if (choice < 0.3)
    return JSON.stringify({ type: 'object', properties: { city: { pattern: random.pick(PATTERNS) } } });
  if (choice < 0.6)
    return random.pick(['', '[]', 'true', '{"$ref":"#"}', '{"type":7}', '{"allOf":[{"$ref":"#/x"}]}', '{']);
  return choice < 0.9 ? '{"type":"array","items":{"type":"string"}}' : JSON.stringify(oddValue(random));
}

export function randomBytes(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: random.between(0, most) }, () => random.between(0, 255)));
}
