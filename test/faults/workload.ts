import type { ChatRequestInput } from '../../src/contract/record-types.ts';
import type { Script } from '../support/stand-in/script.ts';
import type { Random } from './random.ts';

/** A record to publish. */
export interface WorkloadRecord {
  readonly key: string;
  /** Null: bytes that are not a request. */
  readonly request: ChatRequestInput | null;
  readonly headers: Readonly<Record<string, string>>;
  /** How the request must end. Null when any outcome is right. */
  readonly expected: 'COMPLETED' | 'FAILED' | null;
}

interface ScriptKind {
  readonly weight: number;
  readonly expected: 'COMPLETED' | 'FAILED';
  readonly fields?: Partial<ChatRequestInput>;
  script(random: Random): Script | Script[];
}

export interface WorkloadOptions {
  readonly keys?: number;
  /** Adds kinds of scripts, or replaces all with `only`. */
  readonly kinds?: readonly ScriptKind[];
  readonly only?: boolean;
  /** Requests have no script. The stand-in's default applies, so any outcome is possible. */
  readonly withoutScripts?: boolean;
}

const weather: Partial<ChatRequestInput> = {
  tools: [
    {
      type: 'function',
      name: 'get_weather',
      parametersJson: '{"type":"object","properties":{"city":{"type":"string"}}}',
    },
  ],
};

function answer(random: Random): Script {
  return {
    tokens: random.between(3, 30),
    firstTokenMs: random.between(5, 120),
    gapMs: random.between(2, 40),
    promptTokens: random.between(5, 500),
  };
}

/** The scripts of requests. Most are answered, some slowly, some only after failures, some never. */
const usualKinds: readonly ScriptKind[] = [
  { weight: 50, expected: 'COMPLETED', script: answer },
  {
    weight: 8,
    expected: 'COMPLETED',
    script: (random) => ({ ...answer(random), tokens: 40, gapMs: random.between(40, 90) }),
  },
  {
    weight: 8,
    expected: 'COMPLETED',
    script: (random) => [{ status: random.pick([429, 500, 503]), retryAfterMs: 100 }, answer(random)],
  },
  {
    weight: 7,
    expected: 'COMPLETED',
    script: (random) => [
      { ...answer(random), tokens: 20, cutAfterTokens: random.between(0, 18) },
      answer(random),
    ],
  },
  {
    weight: 4,
    expected: 'COMPLETED',
    script: (random) => [
      { ...answer(random), tokens: 20, stallAfterTokens: random.between(0, 18) },
      answer(random),
    ],
  },
  {
    weight: 4,
    expected: 'COMPLETED',
    script: (random) => [
      { ...answer(random), tokens: 20, endAfterTokens: random.between(0, 18) },
      answer(random),
    ],
  },
  {
    weight: 6,
    expected: 'COMPLETED',
    fields: weather,
    script: (random) => ({
      toolCalls: [{ name: 'get_weather', arguments: { city: `Town ${random.between(1, 999)}` } }],
      gapMs: random.between(2, 30),
      promptTokens: 50,
    }),
  },
  { weight: 3, expected: 'COMPLETED', fields: { stream: false }, script: answer },
  { weight: 2, expected: 'COMPLETED', fields: { n: 2 }, script: answer },
  { weight: 2, expected: 'FAILED', script: () => ({ status: 400 }) },
  { weight: 1, expected: 'FAILED', script: () => ({ status: 500 }) },
];

const REPEATED = 0.04;
const OTHER_BODY = 0.01;
const UNREADABLE = 0.015;
const INVALID = 0.015;

/** Generates records, the same ones for the same random numbers. */
export class Workload {
  private readonly random: Random;
  private readonly options: WorkloadOptions;
  private readonly kinds: readonly ScriptKind[];
  private readonly prefix: string;
  private readonly recent: WorkloadRecord[] = [];
  private count = 0;

  constructor(random: Random, options: WorkloadOptions = {}, prefix = 'request') {
    this.random = random;
    this.options = options;
    this.prefix = prefix;
    const { kinds = [], only = false } = options;
    this.kinds = only ? kinds : [...usualKinds, ...kinds];
  }

  /** The next record: usually a new request, otherwise a repeated one, a repeated id with another body, or garbage. */
  next(): WorkloadRecord {
    const { random } = this;
    if (this.recent.length > 0 && random.chance(REPEATED)) return random.pick(this.recent);
    if (this.recent.length > 0 && random.chance(OTHER_BODY)) return otherBody(random.pick(this.recent));
    this.count += 1;
    const key = `conversation-${random.between(1, this.options.keys ?? 40)}`;
    if (random.chance(UNREADABLE)) {
      return { key, request: null, headers: { 'x-rubbish': String(this.count) }, expected: null };
    }
    const requestId = `${this.prefix}-${this.count}`;
    const base = { requestId, conversationId: key };
    if (random.chance(INVALID)) {
      return { key, request: { ...base, messages: [] }, headers: {}, expected: 'FAILED' };
    }
    const record = this.request(key, base);
    this.recent.push(record);
    if (this.recent.length > 50) this.recent.shift();
    return record;
  }

  private request(key: string, base: ChatRequestInput): WorkloadRecord {
    const { random } = this;
    if (this.options.withoutScripts) {
      const messages = [{ role: 'user', content: `Tell me about ${base.requestId}.` }];
      return { key, request: { ...base, messages }, headers: {}, expected: null };
    }
    const kind = weighted(random, this.kinds);
    const content = JSON.stringify({ standIn: kind.script(random) });
    const request = { ...base, ...kind.fields, messages: [{ role: 'user', content }] };
    return { key, request, headers: {}, expected: kind.expected };
  }
}

/** Same id, different content: the second one is refused, so any outcome is possible. */
function otherBody(record: WorkloadRecord): WorkloadRecord {
  const { request } = record;
  if (request === null) return record;
  const messages = [{ role: 'system', content: 'Be brief.' }, ...(request.messages ?? [])];
  return { ...record, request: { ...request, messages } };
}

function weighted(random: Random, kinds: readonly ScriptKind[]): ScriptKind {
  let left = random.next() * kinds.reduce((sum, { weight }) => sum + weight, 0);
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return random.pick(kinds);
}
