import { afterAll, beforeAll, expect, it } from 'vitest';
import type { History } from '../support/history.ts';
import { request, World } from '../support/world.ts';

let world: World;
let history: History;

beforeAll(async () => {
  world = await World.create({ partitions: 1, env: { CATALOG_REFRESH: '24h' } });
  await world.endModel('gpt-4', Date.UTC(2999, 9, 23));
  await world.endModel('gpt-4-turbo', Date.UTC(2020, 0, 1));
  await world.startWorker();
  history = await world.readHistory();
});
afterAll(() => world?.close());

async function answerTo(requestId: string, model: string) {
  await world.publish([request(requestId, { model })]);
  return history.untilAnswerTo(requestId);
}

it('an alias is called by its model id, and both are reported', async () => {
  const response = await answerTo('by-alias', 'gpt-35-turbo');
  expect(response).toMatchObject({
    status: 'COMPLETED',
    requestedModel: 'gpt-35-turbo',
    model: 'gpt-3.5-turbo',
    costStatus: 'PRICED',
  });
  expect(history.costs.find(({ value }) => value.requestId === 'by-alias')?.value.calls).toMatchObject([
    { model: 'gpt-3.5-turbo' },
  ]);
});

it('a deprecated model works, with a warning that names its shutdown date', async () => {
  const { status, warnings } = await answerTo('deprecated', 'gpt-4');
  expect(status).toBe('COMPLETED');
  expect(warnings).toMatchObject([
    { path: 'model', code: 'deprecated_model', message: expect.stringContaining('2999-10-23') },
  ]);
});

it('a model whose shutdown date has passed is refused without a call', async () => {
  const { status, attempts, error } = await answerTo('ended', 'gpt-4-turbo');
  expect({ status, attempts }).toEqual({ status: 'FAILED', attempts: 0 });
  expect(error).toMatchObject({ code: 'model_not_found', retryable: false, param: 'model' });
  expect(error?.message).not.toContain('gpt-4-turbo,');
});

it('a misspelled name is called unchanged, with a warning that suggests a model', async () => {
  const { status, warnings } = await answerTo('misspelled', 'gpt-4o-mni');
  expect(status).toBe('COMPLETED');
  expect(warnings).toMatchObject([
    { path: 'model', code: 'unknown_model', message: expect.stringContaining('did you mean gpt-4o-mini') },
  ]);
});

it('a running worker notices a removed model: it is refused without a call, with the nearest names', async () => {
  const before = (await world.standIn.calls()).length;
  await world.removeModel('gpt-4o-mini');
  let response = await answerTo('removed-0', 'gpt-4o-mini');
  // The database notifies the worker within moments.
  for (let tries = 1; response.status === 'COMPLETED'; tries += 1)
    response = await answerTo(`removed-${tries}`, 'gpt-4o-mini');
  expect(response).toMatchObject({
    status: 'FAILED',
    requestedModel: 'gpt-4o-mini',
    attempts: 0,
    error: { code: 'model_not_found', retryable: false, param: 'model' },
  });
  expect(response.error?.message).toMatch(/"gpt-4o-mini" was removed by its provider.*gpt-4\.1-mini/);
  const refused = history.originals.filter(
    ({ status, requestId }) => status === 'FAILED' && requestId.startsWith('removed'),
  );
  expect(refused).toHaveLength(1);
  const completed = history.originals.filter(({ requestId }) => requestId.startsWith('removed')).length - 1;
  expect((await world.standIn.calls()).length - before).toBe(completed);
});

it('a model that the catalog does not know is passed on', async () => {
  expect(await answerTo('unknown', 'gpt-from-tomorrow')).toMatchObject({
    status: 'COMPLETED',
    model: 'gpt-from-tomorrow',
    warnings: [],
    costStatus: 'UNPRICED',
  });
});
