import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { History } from '../support/history.ts';
import type { Script } from '../support/stand-in/script.ts';
import type { Worker } from '../support/worker.ts';
import { request, World } from '../support/world.ts';

const apiKey = 'sk-world-0123456789abcdef';
const brokenThenWhole: Script[] = [
  { tokens: 20, cutAfterTokens: 4, gapMs: 5 },
  { text: 'whole this time', promptTokens: 12, gapMs: 2 },
];

/** A separate service with a real broker, database and HTTP. Each rate-limited model belongs to one test. */
class Service {
  readonly world: World;
  readonly history: History;
  readonly worker: Worker;

  private constructor(world: World, history: History, worker: Worker) {
    this.world = world;
    this.history = history;
    this.worker = worker;
  }

  static async start(env: Readonly<Record<string, string>>): Promise<Service> {
    const world = await World.create({
      partitions: 2,
      // The scripts fail individual requests. The failure of one must not hold back another.
      env: {
        AI_OPENAI_API_KEY: apiKey,
        AI_OPENAI_RETRY_DELAY: '0',
        AI_OPENAI_OUTAGE: 'ignore',
        ...env,
      },
    });
    const worker = await world.startWorker();
    return new Service(world, await world.readHistory(), worker);
  }

  /** Publishes a request and waits for all its outputs. */
  async answer(requestId: string, options: Parameters<typeof request>[1]) {
    await this.world.publish([request(requestId, options)]);
    await this.history.untilAnswerTo(requestId);
    const response = this.history.originals.find((one) => one.requestId === requestId);
    if (response === undefined) throw new Error(`${requestId} has no response`);
    const cost = this.history.costs.find(({ value }) => value.requestId === requestId)?.value;
    const calls = (await this.world.standIn.calls()).filter((call) => call.requestId === requestId);
    return { response, cost, calls, bills: cost?.calls.map((call) => billOf(call)) ?? [] };
  }
}

function billOf({ attempt, disposition, usage }: NonNullable<Bill>) {
  return [attempt, disposition, usage.confidence];
}
type Bill = History['costs'][number]['value']['calls'][number];

describe('a service that restarts broken answers', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start({});
  });
  afterAll(() => service?.world.close());

  test('publishes the second answer as a new attempt from sequence 0, and bills the first as retried', async () => {
    const { response, bills, cost, calls } = await service.answer('broken', {
      model: 'gpt-4',
      script: brokenThenWhole,
    });
    expect(response).toMatchObject({ status: 'COMPLETED', attempts: 2, acceptedAttempt: 2 });
    expect(calls.map(({ outcome }) => outcome)).toEqual(['cut', 'completed']);

    const chunks = service.history.chunks
      .map(({ value }) => value)
      .filter(({ requestId }) => requestId === 'broken');
    for (const attempt of [1, 2]) {
      const own = chunks.filter((chunk) => chunk.attempt === attempt);
      expect(own.map(({ sequence }) => sequence)).toEqual(own.map((_, index) => index));
      expect(own.findLastIndex(({ last }) => last)).toBe(own.length - 1);
      expect(own.map(({ content }) => content).join('')).toMatch(attempt === 1 ? /\w/ : /^whole this time$/);
    }
    expect(chunks.filter(({ attempt }) => attempt === 2)).toHaveLength(response.chunkCount);

    expect(bills).toEqual([
      [1, 'RETRIED', 'PARTIAL'],
      [2, 'ACCEPTED', 'PROVIDER'],
    ]);
    const arrived = chunks.filter(({ attempt }) => attempt === 1).map(({ content }) => content);
    expect(cost?.calls[0]?.usage.outputTokens).toBe(countTokens(arrived.join('')));
    expect(cost?.lines.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
    const announced = service.history.sent.filter(({ value }) => value.requestId === 'broken');
    const { inputTokens } = cost?.calls[0]?.usage ?? {};
    expect(announced.map(({ value }) => [value.attempt, value.estimatedInputTokens])).toEqual([
      [1, inputTokens],
      [2, inputTokens],
    ]);
  });

  test('does not restart a broken answer when its request forbids it', async () => {
    const { response, bills, calls } = await service.answer('once', {
      restartOnBreak: false,
      script: brokenThenWhole,
    });
    expect(response).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      error: { code: 'stream_interrupted', retryable: true },
    });
    expect(calls).toHaveLength(1);
    expect(bills).toEqual([[1, 'FAILED', 'PARTIAL']]);
  });

  test('bills a call from an estimate if its connection was lost before an answer, and does not bill a refused call', async () => {
    const script = [{ status: 0 }, { status: 503 }, { text: 'at last' }];
    const { response, bills } = await service.answer('lost', { script });
    expect(response).toMatchObject({ status: 'COMPLETED', attempts: 3 });
    expect(bills).toEqual([
      [1, 'RETRIED', 'ESTIMATED'],
      [3, 'ACCEPTED', 'PROVIDER'],
    ]);
  });

  test('waits as long as the provider asks', async () => {
    const { response, calls } = await service.answer('patient', {
      model: 'model-patient',
      script: [{ status: 429, retryAfterMs: 400 }, { text: 'thank you' }],
    });
    expect(response).toMatchObject({ status: 'COMPLETED', attempts: 2 });
    const [first, second] = calls;
    expect((second?.startedAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(399);
  });

  test.each<[string, Script, number | null, number | null]>([
    ['an hour', { status: 429, retryAfter: '3600' }, null, 3_600_000],
    ['more than its deadline allows', { status: 503, retryAfter: '50' }, 30_000, 50_000],
  ])(
    'does not wait for %s: the failure comes at once and says when to publish again',
    async (wait, script, within, reported) => {
      const deadline = within === null ? null : Date.now() + within;
      const name = `no time for ${wait}`.replaceAll(' ', '-');
      const { response, calls } = await service.answer(name, {
        model: name,
        script,
        deadline,
      });
      expect(response).toMatchObject({
        status: 'FAILED',
        attempts: 1,
        error: { retryable: true, retryAfterMs: reported },
      });
      expect(calls).toHaveLength(1);
    },
  );

  test.each(['soon', '-5', ''])('ignores an invalid retry-after "%s"', async (retryAfter) => {
    const id = `garbage-${Buffer.from(retryAfter).toString('hex')}`;
    const { response } = await service.answer(id, {
      model: id,
      script: [{ status: 429, retryAfter }, { text: 'well' }],
    });
    expect(response).toMatchObject({ status: 'COMPLETED', attempts: 2 });
  });

  test('obeys a provider that forbids or requests a retry', async () => {
    const no = { status: 503, headers: { 'x-should-retry': 'false' } };
    const yes = { status: 404, headers: { 'x-should-retry': 'true' } };
    expect((await service.answer('should-not', { script: [no, { text: 'x' }] })).response.attempts).toBe(1);
    expect((await service.answer('should', { script: [yes, { text: 'x' }] })).response.status).toBe(
      'COMPLETED',
    );
  });

  test('makes as many calls as allowed, each announced with its own number', async () => {
    const { response, calls } = await service.answer('hopeless', { script: { status: 500 } });
    expect(response).toMatchObject({ status: 'FAILED', attempts: 4, error: { code: 'provider_error' } });
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  });

  test('logs a hundred refused calls in one line, without key or prompt', async () => {
    const error = { code: 'invalid_api_key', message: `Incorrect API key provided: ${apiKey}` };
    const script = { status: 401, error };
    const requests = Array.from({ length: 100 }, (_, index) => request(`refused-${index}`, { script }));
    const before = service.history.originals.length;
    await service.world.publish(requests);
    await service.history.untilAnswered(before + requests.length);

    const lines = service.worker.log.filter((line) => line.includes('"code":"invalid_credentials"'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({
      level: 'error',
      httpStatus: 401,
      providerCode: 'invalid_api_key',
      providerRequestId: expect.stringMatching(/^req_/),
      msg: expect.stringMatching(/correct AI_OPENAI_API_KEY/),
    });
    expect(service.worker.log.join('\n')).not.toMatch(/0123456789|standIn|whole this time/);
    const refused = service.history.originals.filter(({ requestId }) => requestId.startsWith('refused-'));
    expect(
      refused.every(
        ({ error: failure, costStatus }) => failure?.code === 'invalid_credentials' && costStatus === 'NONE',
      ),
    ).toBe(true);
    expect(JSON.stringify(refused)).not.toContain('0123456789');
  });
});

describe('a service that does not restart broken answers', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start({ AI_OPENAI_RESTART_ON_BREAK: 'false' });
  });
  afterAll(() => service?.world.close());

  test('leaves them to the publisher, unless the request asks for a restart', async () => {
    const plain = await service.answer('plain', { script: brokenThenWhole });
    expect(plain.response).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      error: { code: 'stream_interrupted' },
    });
    const again = await service.answer('again', { script: brokenThenWhole, restartOnBreak: true });
    expect(again.response).toMatchObject({ status: 'COMPLETED', attempts: 2 });
  });

  test('restarts an answer that had published nothing', async () => {
    const { response } = await service.answer('unseen', { script: [{ status: 500 }, { text: 'seen' }] });
    expect(response).toMatchObject({ status: 'COMPLETED', attempts: 2 });
  });
});
