import { type ChildProcess, spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { History } from '../support/history.ts';
import { pythonHome } from '../support/python/python-home.ts';
import { snippetsOf } from '../support/snippets.ts';
import { World } from '../support/world.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const requirements = fileURLToPath(new URL('../support/python/requirements.txt', import.meta.url));
const client = new URL('../../src/client/index.ts', import.meta.url).href;

let world: World;
let history: History;
const files: string[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  world = await World.create({ partitions: 1, defaultScript: { text: 'Hello from the stand-in.' } });
  await world.startWorker();
  history = await world.readHistory();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(files.map((file) => rm(file, { force: true })));
  await world?.close();
});

/** The snippet as it is, on this world's topics instead of the default ones. */
async function fileOf(snippet: string, extension: 'ts' | 'py'): Promise<string> {
  const { prefix } = world.config.topics;
  const code = snippet
    .replaceAll(/(["'])chat\.(requests|responses|costs)\1/g, `$1${prefix}.$2$1`)
    .replace("'completion-bus/client'", `'${client}'`)
    .replace("tenantId: 'acme'", `tenantId: 'acme', topicPrefix: '${prefix}', groupId: '${prefix}'`);
  const file = `${root}.snippet-${prefix}-${files.length}.${extension}`;
  await writeFile(file, code);
  files.push(file);
  return file;
}

/** Runs a program in the project's folder until it ends, or until it has printed what is waited for. */
async function output(command: string, args: string[], until?: RegExp): Promise<string> {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...world.env } });
  children.push(child);
  let printed = '';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.stdout.on('data', (piece: Buffer) => {
    printed += piece.toString();
    if (until?.test(printed)) resolve(printed);
  });
  let errors = '';
  child.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString();
  });
  child.on('error', reject);
  child.on('close', (code) =>
    code === 0 ? resolve(printed) : reject(new Error(`exit code ${code}:\n${errors}`)),
  );
  return promise.finally(() => child.kill('SIGKILL'));
}

test('the first program of README prints an answer and what it cost', async () => {
  const [program = ''] = snippetsOf('README.md', 'ts');
  const printed = await output(process.execPath, [await fileOf(program, 'ts')]);
  expect(printed).toMatch(/^Hello from the stand-in\.\n\d+ tokens, 0\.\d+ USD\n$/);
});

describe('the page on other languages', () => {
  const page = 'docs/other-languages.md';

  test('publishes with TypeScript and Avro', async () => {
    const [program = ''] = snippetsOf(page, 'ts');
    const before = history.responses.length;
    await output(process.execPath, [await fileOf(program, 'ts')]);
    await history.until(({ responses }) => responses.length > before);
    expect(history.responses.at(-1)?.value).toMatchObject({ status: 'COMPLETED' });
  });

  test('publishes with Python, and reads the response and its cost', async () => {
    const python = `${await pythonHome(requirements)}/bin/python`;
    const [publish = '', read = ''] = snippetsOf(page, 'python');
    await output(python, [await fileOf(publish, 'py')]);
    const printed = await output(
      python,
      ['-u', await fileOf(read, 'py')],
      /COMPLETED Hello from the stand-in\.[\s\S]* 0\.\d+ USD|0\.\d+ USD[\s\S]*COMPLETED Hello/,
    );
    expect(printed).toContain('COMPLETED Hello from the stand-in.');
  });
});
