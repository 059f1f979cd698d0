import { describe, expect, it } from 'vitest';
import { runCommand } from '../../support/run-command.ts';

const run = (args: readonly string[], env: Record<string, string> = {}) => runCommand(env, args);

const commands = ['serve', 'chat', 'estimate', 'topics', 'models', 'prices', 'costs'];

describe('the command line', () => {
  it('describes every command on --help', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b.* {2}\\S`, 'm'));
    expect(stderr).toBe('');
  });

  it('describes one command with its options', async () => {
    const { code, stdout } = await run(['chat', '--help']);
    expect(code).toBe(0);
    for (const option of ['--model', '--system', '--conversation', '--timeout'])
      expect(stdout).toContain(option);
  });

  it('prints its version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });

  it.each([
    ['an unknown command', ['nope'], "unknown command 'nope'"],
    ['an unknown part of a command', ['topics', 'nope'], "unknown command 'nope'"],
    ['a missing argument', ['chat'], "missing required argument 'text'"],
    ['an unknown option', ['chat', 'Hello', '--loud'], "unknown option '--loud'"],
    ['a time that is no number', ['chat', 'Hello', '--timeout', 'soon'], 'a number of seconds'],
    ['a time of nothing', ['chat', 'Hello', '--timeout', '0'], 'a number of seconds'],
    ['an infinite time', ['chat', 'Hello', '--timeout', 'Infinity'], 'a number of seconds'],
    ['an invalid date', ['prices', 'import', '--effective-from', '2025-02-30'], 'ISO 8601'],
    ['a correction of nothing', ['prices', 'correct'], "missing required argument 'version'"],
    ['nothing at all', [], 'Usage: completion-bus'],
  ])('exits with 2 for %s, and reports it', async (_what, args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
  });

  it.each([
    ['chat', 'Hello'],
    ['topics', 'create'],
    ['models', 'import'],
    ['prices', 'list'],
    ['costs', 'reprice'],
    ['serve'],
  ])('exits with 2 for an invalid configuration of %s %s, and lists every problem', async (...args) => {
    const env = { KAFKA_BROKERS: 'nowhere', MONGODB_URL: 'mysql://user:secret@host', LOG_LEVEL: 'loud' };
    const { code, stderr } = await run(
      args.filter((arg) => arg !== undefined),
      env,
    );
    expect(code).toBe(2);
    for (const name of Object.keys(env)) expect(stderr).toContain(`  ${name}: `);
    expect(stderr).not.toContain('secret');
  });

  it('requires variables of serve only for serve', async () => {
    const { code, stderr } = await run(['serve']);
    expect(code).toBe(2);
    expect(stderr).toContain('AI_OPENAI_API_KEY: not set');
  });

  it('exits with 1 when a file cannot be read, and names it', async () => {
    const { code, stderr } = await run(['prices', 'import', 'no-such-file.json']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'file no-such-file.json cannot be read: there is no such file\n',
    });
  });

  it.each([
    [['costs', 'calculate', '--usage', 'none.jsonl', '--prices', 'none.json'], '--prices none.json'],
    [['estimate', '--file', 'none.json'], '--file none.json'],
    [['estimate', 'Hello', '--prices', '/'], '--prices / cannot be read: it is a directory'],
    [['models', 'import', 'none.json'], 'file none.json'],
  ])('names the option of a file that cannot be read: %j', async (args, words) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(words);
  });

  it('warns of variables without an effect before any other output', async () => {
    const env = { OPENAI_API_KEY: 'sk-secret', KAFKA_BROKERS: 'nowhere' };
    const { code, stderr } = await run(['topics', 'check'], env);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^warning: OPENAI_API_KEY is not .* did you mean AI_OPENAI_API_KEY\?\nThe configuration/,
    );
    expect(stderr).not.toContain('secret');
    expect((await run(['serve'], env)).stderr).toContain('did you mean AI_OPENAI_API_KEY?');
  });
});
