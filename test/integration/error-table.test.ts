import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOpenAiProvider, type OpenAiProvider } from '../../src/adapters/openai/openai-provider.ts';
import { type ChatFailure, type ErrorCode, errorCodes } from '../../src/domain/failures/chat-failure.ts';
import { failureClasses } from '../../src/domain/failures/failure-classes.ts';
import { type DocumentedRow, documentedErrors } from '../support/error-documentation.ts';
import { FakeProvider } from '../support/fakes/fake-provider.ts';
import { Handling, outcomeOf } from '../support/fakes/handling.ts';
import type { Script } from '../support/stand-in/script.ts';
import { type StandIn, startStandIn } from '../support/stand-in/start-stand-in.ts';
import { aCall, aMessage } from '../unit/openai/provider-call.ts';

const { codes, provider: reported, silent } = documentedErrors();

const apiKey = 'gateway-0123456789abcdef';
const diary = 'my diary of 1987';
/** Text a provider might echo: the key, another key, a header, and the prompt. */
const words = `No: ${apiKey}, sk-proj-ABCDEFGHIJKLMNOP, "Bearer tok.en-12345", and ${diary}`;
const secrets = /0123456789|ABCDEFGHIJ|tok\.en/;

/** What the message of each code asks the reader to do. */
const wayOut: Readonly<Partial<Record<ErrorCode, RegExp>>> = {
  invalid_request: /correct the named parameter/,
  invalid_credentials: /correct AI_OPENAI_API_KEY/,
  permission_denied: /change the account's permissions/,
  quota_exceeded: /raise the limit or add credit/,
  rate_limited: /tried again after a wait.*MAX_IN_FLIGHT/,
  context_length_exceeded: /shorten them/,
  content_filtered: /contents have to change/,
  model_not_found: /misspelled/,
  provider_unavailable: /can be tried again/,
  provider_error: /AI_OPENAI_BASE_URL/,
  stream_interrupted: /can be tried again/,
  timeout: /can be tried again/,
};

let standIn: StandIn;
let provider: OpenAiProvider;
let nobody: OpenAiProvider;
let counter = 0;

beforeAll(async () => {
  standIn = await startStandIn();
  provider = createOpenAiProvider({ apiKey, baseUrl: standIn.url });
  nobody = createOpenAiProvider({ apiKey, baseUrl: 'http://127.0.0.1:1/v1' });
});
afterAll(async () => {
  await provider.close();
  await nobody.close();
  await standIn.close();
});

interface Limits {
  readonly firstTokenTimeoutMs: number;
  readonly idleTimeoutMs: number;
}
const patient: Limits = { firstTokenTimeoutMs: 20_000, idleTimeoutMs: 20_000 };

const never = new AbortController().signal;

/** The failure as the driver throws it. */
async function thrownBy(one: OpenAiProvider, script: Script, limits: Limits): Promise<ChatFailure> {
  const content = JSON.stringify({ standIn: script });
  counter += 1;
  const call = aCall(
    { messages: [aMessage({ content })] },
    { clientRequestId: `direct-${counter}/1`, ...limits },
  );
  try {
    for await (const _ of await one.stream(call, never));
  } catch (error) {
    return error as ChatFailure;
  }
  throw new Error('the call did not fail');
}

/** The same request through the pipeline, with one retry: everything but Kafka and the ledger is real. */
async function handle(one: OpenAiProvider, script: Script, limits: Limits) {
  counter += 1;
  const requestId = `walk-${counter}`;
  const handling = new Handling(new FakeProvider(), { providers: new Map([['openai', one]]) });
  Object.assign(handling.options, { policy: { ...handling.options.policy, ...limits, retryAttempts: 1 } });
  const content = JSON.stringify({ standIn: script });
  const { records } = await handling.handle(
    handling.record({ requestId, messages: [{ role: 'user', content }] }),
  );
  const calls = (await standIn.calls()).filter((call) => call.requestId === requestId);
  return { ...outcomeOf(records), calls };
}

async function check(
  row: DocumentedRow,
  one: OpenAiProvider,
  script: Script,
  limits = patient,
): Promise<void> {
  const code = row['becomes'] as ErrorCode;
  const again = row['again?'] === 'yes';

  const failure = await thrownBy(one, script, limits);
  expect(failure).toBeInstanceOf(failureClasses[code]);
  expect(failure).toMatchObject({ code, retryable: again });
  expect(failure.message).toContain('openai');
  expect(failure.message).toMatch(wayOut[code] ?? /^$/);

  const { response, cost, calls } = await handle(one, script, limits);
  expect(response).toMatchObject({
    status: 'FAILED',
    attempts: again ? 2 : 1,
    error: { code, retryable: again },
  });
  expect(JSON.stringify(response)).not.toMatch(secrets);
  expect(calls).toHaveLength(one === nobody ? 0 : again ? 2 : 1);

  const bills = cost?.calls.map(({ disposition, usage }) => [disposition, usage.confidence]) ?? [];
  const confidence = row['bill']?.toUpperCase();
  const dispositions = again ? ['RETRIED', 'FAILED'] : ['FAILED'];
  expect(bills).toEqual(confidence === 'NOTHING' ? [] : dispositions.map((one) => [one, confidence]));
}

function scriptOf({ HTTP: http, type, code, param }: DocumentedRow): Script {
  const error = {
    type: type || null,
    code: code && /^\d+$/.test(code) ? Number(code) : code || null,
    param: param || null,
    message: words,
  };
  if (http === 'stream') return { tokens: 5, errorAfterTokens: 2, error };
  const status = Number(http);
  if (status === 200) return { error };
  return type === '' && code === '' && (status > 499 || status === 302)
    ? { status, body: `<html>${words}</html>` }
    : { status, error };
}

describe('docs/errors.md', () => {
  it('has every code once, with its class', () => {
    expect(codes.map(({ code }) => code).toSorted()).toEqual(errorCodes.toSorted());
    for (const { code, class: name } of codes) expect(failureClasses[code as ErrorCode].name).toBe(name);
  });

  it('marks every code as retried or not, as its rows do', () => {
    for (const row of [...reported, ...silent]) {
      // A redirect means a wrong address, the only failure of this kind that a retry cannot fix.
      if (row['HTTP'] === '302') continue;
      const code = codes.find((one) => one['code'] === row['becomes']);
      expect([row, code?.['again?']]).toEqual([row, row['again?']]);
    }
  });
});

describe('an error reported by the provider', () => {
  it.each(
    reported.map((row) => [[row['HTTP'], row['type'], row['code'], row['when']].join(' '), row] as const),
  )('%s', async (_name, row) => {
    await check(row, provider, scriptOf(row));
    const failure = await thrownBy(provider, scriptOf(row), patient);
    const status = row['HTTP'] === 'stream' ? null : Number(row['HTTP']);
    expect(failure).toMatchObject({
      httpStatus: status,
      providerCode: row['code'] || null,
      providerType: row['type'] || null,
      param: row['param'] || null,
      providerRequestId: expect.stringMatching(/^req_/),
    });
    expect(failure.message).toContain(status === null ? 'in the middle of the answer' : `HTTP ${status}`);
    expect(failure.message).not.toMatch(secrets);
  });

  it('reaches only the caller, without secrets', async () => {
    const shown = 'No: sk-…cdef, sk-…MNOP, "Bearer …", and my diary of 1987';
    for (const row of reported) {
      const { message, providerMessage } = await thrownBy(provider, scriptOf(row), patient);
      expect(message).not.toContain(diary);
      expect([shown, `<html>${shown}</html>`]).toContain(providerMessage);
    }
    const { response } = await handle(provider, { status: 400, error: { message: words } }, patient);
    expect(response?.error).toMatchObject({ code: 'invalid_request', providerMessage: shown });
    expect(response?.error?.message).not.toContain(diary);
  });
});

describe('an error that the provider does not report', () => {
  const scripts: Readonly<Record<string, readonly [Script, Limits?]>> = {
    'nobody listens at the address': [{}],
    'the connection is closed before the answer': [{ status: 0 }],
    'the connection breaks in the middle of the answer': [{ tokens: 5, cutAfterTokens: 2, gapMs: 1 }],
    'the answer ends without a finish reason': [{ tokens: 5, endAfterTokens: 2 }],
    'broken JSON in the middle of the answer': [{ tokens: 5, malformedAfterTokens: 2 }],
    'no first piece within AI_OPENAI_FIRST_TOKEN_TIMEOUT': [
      { tokens: 3, firstTokenMs: 60_000 },
      { ...patient, firstTokenTimeoutMs: 40 },
    ],
    'no further piece within AI_OPENAI_TIMEOUT': [
      { tokens: 3, stallAfterTokens: 1 },
      { ...patient, idleTimeoutMs: 40 },
    ],
  };

  it.each(silent.map((row) => [row['what'] ?? '', row] as const))('%s', async (what, row) => {
    const [script, limits] = scripts[what] ?? [];
    expect(script).toBeDefined();
    await check(row, what.startsWith('nobody') ? nobody : provider, script ?? {}, limits);
  });
});
