import { Big } from 'big.js';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExclusivePublisher, TakenOver } from '../../src/adapters/kafka/transactions/exclusive-publisher.ts';
import type { CostCalculated } from '../../src/contract/record-types.ts';
import { runCommand } from '../support/run-command.ts';
import { silent, World } from '../support/world.ts';

let world: World;
let mongo: MongoClient;

beforeAll(async () => {
  world = await World.create({ partitions: 3 });
  mongo = await new MongoClient(world.env['MONGODB_URL'] ?? '').connect();
});
afterAll(async () => {
  await mongo?.close();
  await world?.close();
});

const run = (args: readonly string[], readFile: () => string = () => '') =>
  runCommand(world.env, args, { readFile });

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1);
const sumOf = (events: readonly CostCalculated[]) =>
  events
    .flatMap(({ lines }) => lines)
    .reduce((sum, { amount }) => sum.plus(amount), new Big(0))
    .toFixed();
const priceFile = (effectiveFrom: string, input: string) =>
  JSON.stringify([
    {
      provider: 'openai',
      model: 'gpt-4',
      currency: 'USD',
      effectiveFrom,
      components: { input, output: '60' },
      source: 'https://example.com/pricing',
    },
  ]);

describe('costs reprice', () => {
  it('adds the cost of every unpriced charge once, on its partition and under its key', async () => {
    await mongo
      .db(world.env['MONGODB_DATABASE'])
      .collection('prices')
      .deleteMany({ model: /^gpt-4(-0613)?$/ });
    const worker = await world.startWorker();
    const script = { text: 'Yes.', promptTokens: 100, completionTokens: 50 };
    const content = JSON.stringify({ standIn: script });
    await world.publish(
      Array.from({ length: 12 }, (_, index) => ({
        key: `key-${index}`,
        request: {
          requestId: `request-${index}`,
          model: index < 10 ? 'gpt-4' : 'gpt-4o',
          messages: [{ role: 'user', content }],
        },
      })),
    );
    const history = await world.readHistory();
    await history.untilAnswered(12);
    await worker.stop();
    const unpriced = history.costs.filter(({ value }) => value.costStatus === 'UNPRICED');
    expect(unpriced).toHaveLength(10);

    expect(await run(['costs', 'reprice'])).toMatchObject({
      code: 0,
      stdout: '12 events read, 0 adjustments published\n',
    });
    await run(['prices', 'import', 'late.json'], () => priceFile('2023-03-14', '30'));
    const dry = await run(['costs', 'reprice', '--dry-run']);
    expect(lastLine(dry.stdout)).toBe('12 events read, 10 adjustments would be published, 0.06 USD');

    // Several at once: the later one takes over, and nothing is written twice.
    const runs = await Promise.all(Array.from({ length: 3 }, () => run(['costs', 'reprice'])));
    expect(runs.some(({ code }) => code === 0)).toBe(true);
    for (const { code, stderr } of runs)
      if (code !== 0) expect(stderr).toContain('another process has started the same task');
    const again = await run(['costs', 'reprice']);
    expect(again).toMatchObject({ code: 0, stdout: '22 events read, 0 adjustments published\n' });

    await history.until(({ costs }) => costs.length >= 22);
    const adjustments = history.costs.filter(({ value }) => value.kind === 'ADJUSTMENT');
    expect(new Set(adjustments.map(({ value }) => value.eventId)).size).toBe(10);
    for (const { value, source } of unpriced) {
      const own = adjustments.filter((one) => one.value.requestId === value.requestId);
      expect(own.map(({ value: { totalCost, reason, revision } }) => [totalCost, reason, revision])).toEqual([
        ['0.006', 'late_price', 1],
      ]);
      expect(own[0]?.source.partition).toBe(source.partition);
      expect(String(own[0]?.source.key)).toBe(String(source.key));
      expect(String(own[0]?.source.headers['ce_id'])).toBe(own[0]?.value.eventId);
    }
  });

  it('corrects charges made with a price that was not in force', async () => {
    await run(['prices', 'import', 'corrected.json'], () => priceFile('2024-01-01', '20'));
    const outside = await run(['costs', 'reprice', '--reason', 'price_corrected', '--to', '2020-01-01']);
    expect(outside.stdout).toBe('22 events read, 0 adjustments published\n');
    const corrected = await run(['costs', 'reprice', '--reason', 'price_corrected', '--from', '2020-01-01']);
    expect(lastLine(corrected.stdout)).toBe('22 events read, 10 adjustments published, -0.01 USD');
    expect((await run(['costs', 'reprice', '--reason', 'price_corrected'])).stdout).toBe(
      '32 events read, 0 adjustments published\n',
    );

    const history = await world.readHistory();
    await history.until(({ costs }) => costs.length >= 32);
    const byRequest = Map.groupBy(
      history.costs.map(({ value }) => value),
      ({ requestId }) => requestId,
    );
    for (let index = 0; index < 10; index += 1)
      expect(sumOf(byRequest.get(`request-${index}`) ?? [])).toBe('0.005');
  });

  it('refuses invalid arguments with a reason', async () => {
    expect(await run(['costs', 'reprice', '--reason', 'mood'])).toMatchObject({ code: 2 });
    expect(await run(['costs', 'reprice', '--from', 'soon'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ISO 8601'),
    });
  });

  it('stops at a record that is not a cost event, names it, and publishes nothing', async () => {
    const publisher = await ExclusivePublisher.connect(
      world.config.kafka,
      silent,
      'a test',
      world.topics.costs,
    );
    const next = await ExclusivePublisher.connect(world.config.kafka, silent, 'a test', world.topics.costs);
    const record = {
      topic: world.topics.costs,
      partition: 0,
      key: null,
      value: Buffer.from('?'),
      headers: {},
    };
    await expect(publisher.publish([record])).rejects.toBeInstanceOf(TakenOver);
    await next.publish(Array.from({ length: 501 }, () => record));
    await Promise.all([publisher.close(), next.close()]);

    const { code, stdout, stderr } = await run(['costs', 'reprice']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/partition 0, offset \d+ is not a cost event: /);
  });
});
