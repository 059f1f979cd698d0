import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandLine } from '../../src/cli/tool.ts';
import { ModelChangeLog } from '../support/model-changes.ts';
import { runCommand } from '../support/run-command.ts';
import { World } from '../support/world.ts';

let world: World;
let log: ModelChangeLog;

beforeAll(async () => {
  world = await World.create({ partitions: 1 });
  log = await ModelChangeLog.read(world);
});
afterAll(async () => {
  await log?.close();
  await world?.close();
});

const run = (args: string, options: Partial<CommandLine> = {}) =>
  runCommand(world.env, args.split(' '), options);
const KNOWN = ['gpt-4', 'gpt-4o', 'gpt-5', 'o3'];

describe('models sync', () => {
  it('says what has changed, and announces it with what was imported before', async () => {
    await world.standIn.setModels({ ids: [...KNOWN, 'gpt-5-next'] });
    expect(await run('models sync')).toEqual({ code: 0, stdout: 'added openai/gpt-5-next\n', stderr: '' });
    await log.seen('gpt-5-next');
    expect(log.of('gpt-4')).toEqual(['ADDED', 'PRICED']);
    expect(await run('models sync')).toMatchObject({ code: 0, stdout: 'nothing has changed\n' });
  });

  it('deprecates a model that is missing for the third time', async () => {
    await world.standIn.setModels({ ids: KNOWN });
    await run('models sync');
    await run('models sync');
    const { stdout } = await run('models sync');
    expect(stdout).toMatch(/^deprecated openai\/gpt-5-next: deprecatedAt null → \d{4}-.*Z\n$/);
    await log.seen('gpt-5-next', 'DEPRECATED');
  });

  it('takes a short list only when told to, and says so', async () => {
    await world.standIn.setModels({ ids: ['gpt-4'] });
    const { code, stderr } = await run('models sync');
    expect(code).toBe(1);
    expect(stderr).toMatch(/lists 1 of the 5 models.*--accept-short/);
    expect(await run('models sync --accept-short')).toMatchObject({ code: 0 });
  });

  it('says what the provider says, and which setting is missing', async () => {
    await world.standIn.setModels({ status: 401 });
    const refused = await run('models sync');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/HTTP 401.*AI_OPENAI_API_KEY/);
    const { stderr } = await run('models sync', { env: { ...world.env, AI_OPENAI_API_KEY: '' } });
    expect(stderr).toMatch(/set AI_OPENAI_API_KEY/);
  });
});
