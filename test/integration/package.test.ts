import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from '../support/world.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const MAX_BYTES = 2 * 1024 * 1024;

let directory: string;
let archive: string;
let world: World;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'completion-bus-package-'));
  const stage = join(directory, 'stage');
  await mkdir(stage);
  for (const name of [
    'package.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'schemas',
    'docs',
    'test',
    'scripts',
  ])
    await cp(join(ROOT, name), join(stage, name), { recursive: true });
  await run(process.execPath, [TSC, '-p', 'tsconfig.build.json', '--outDir', join(stage, 'dist')], {
    cwd: ROOT,
  });
  await run('npm', ['pack', '--pack-destination', directory], { cwd: stage });
  archive = join(directory, (await readdir(directory)).find((name) => name.endsWith('.tgz')) ?? '');
  world = await World.create({
    partitions: 2,
    defaultScript: { text: 'one two three four five', promptTokens: 2, completionTokens: 5 },
  });
  await world.startWorker();
});
afterAll(async () => {
  await world?.close();
  await rm(directory, { recursive: true, force: true });
});

test('the package is small, without tests and fixtures', async () => {
  expect((await stat(archive)).size).toBeLessThan(MAX_BYTES);
  const { stdout } = await run('tar', ['-tzf', archive]);
  const files = stdout.trim().split('\n');
  expect(files).toContain('package/dist/client/index.js');
  expect(files).toContain('package/dist/client/index.d.ts');
  expect(
    files.filter((file) => /^package\/(test|scripts|src)\/|\.test\.|fixture|stand-in\//.test(file)),
  ).toEqual([]);
});

test('a strict TypeScript program of another project uses the service through it', async () => {
  const project = join(directory, 'project');
  const installed = join(project, 'node_modules/completion-bus');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', archive, '--strip-components=1', '-C', installed]);
  // Its dependencies, as they are installed here.
  await symlink(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  await symlink(join(ROOT, 'node_modules/@types'), join(project, 'node_modules/@types'));
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'project', type: 'module' }));
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    skipLibCheck: true,
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
  await writeFile(join(project, 'main.ts'), PROGRAM);
  await run(process.execPath, [TSC, '-p', project]);
  const { kafka, topics } = world.config;
  const { stdout } = await run(process.execPath, ['main.js'], {
    cwd: project,
    env: { ...process.env, KAFKA_BROKERS: kafka.brokers.join(','), CHAT_TOPIC_PREFIX: topics.prefix },
  });
  expect(stdout).toBe('one two three four five | stop | 0.00036 USD\n');
});

const PROGRAM = `
import { type ChatBusError, type ChatResult, connect } from 'completion-bus/client';

await using bus = await connect({
  brokers: process.env['KAFKA_BROKERS'] ?? '',
  topicPrefix: process.env['CHAT_TOPIC_PREFIX'] ?? 'chat',
});
const answer = bus.chat({ model: 'gpt-4', messages: 'Hello' });
for await (const text of answer) process.stdout.write(text);
const { finishReason, cost, currency, usage }: ChatResult = await answer;
if (usage?.inputTokens === undefined) throw new Error('there is no usage');
console.log(\` | \${finishReason} | \${cost} \${currency}\`);
export const codeOf = (error: ChatBusError) => error.code;
// @ts-expect-error: messages are required
export const refused = () => bus.chat({ model: 'gpt-4' });
`;
