import { describe, expect, it } from 'vitest';
import { runCommand } from '../../../support/run-command.ts';

/** Runs `estimate` with prices that need no database, and returns its output. */
function run(args: readonly string[], files: Record<string, unknown> = {}, prices = 'shipped') {
  return runCommand({}, ['estimate', ...args, '--prices', prices], {
    readFile: (path) => {
      const content = files[path];
      if (content === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      return typeof content === 'string' ? content : JSON.stringify(content);
    },
  });
}

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const price = (components: object) => [
  {
    provider: 'openai',
    model: 'gpt-4o',
    currency: 'EUR',
    effectiveFrom: '2024-01-01',
    components: { input: '2', output: '10', ...components },
    source: 'a contract',
  },
];

describe('the estimate command', () => {
  it('prints tokens by part, the lowest and the highest cost, and their price', async () => {
    const { code, stdout, stderr } = await run([
      'Hello there, how are you?',
      '-m',
      'gpt-4o',
      '--max-output-tokens',
      '100',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`gpt-4o, o200k_base
input 14 tokens
  messages: 7
  overhead: 7
output at most 100 tokens
lowest cost 0.0000175 USD
highest cost 0.001035 USD
with 3 retries 0.00414 USD
price openai/gpt-4o@2024-10-02T00:00:00.000Z, from https://developers.openai.com/api/docs/pricing
`);
  });

  it('accepts a request in the provider’s form, and prints JSON', async () => {
    const body = {
      ...user([
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'high' } },
      ]),
      model: 'gpt-4o',
      n: 2,
      max_completion_tokens: 10,
      tools: [{ type: 'function', function: { name: 'look_up', parameters: { type: 'object' } } }],
    };
    const { code, stdout } = await run(['-f', 'a.json', '--json'], { 'a.json': body });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'gpt-4o',
      encoding: 'o200k_base',
      inputTokens: { messages: 4, images: 1_445, overhead: 16, audio: 0 },
      maxOutputTokens: 20,
      currency: 'USD',
      price: { id: 'openai/gpt-4o@2024-10-02T00:00:00.000Z' },
    });
  });

  it('reads prices from a file, and bounds uncountable content by the context', async () => {
    const body = { ...user([{ type: 'file', file: { file_id: 'file-1' } }]), model: 'gpt-4o' };
    const { stdout } = await run(['-f', 'a.json'], { 'a.json': body, 'p.json': price({}) }, 'p.json');
    expect(stdout).toContain('input 7 tokens (at least 7, no known limit: a file or an earlier audio answer');
    expect(stdout).toContain('highest cost 0.296 EUR');
    expect(stdout).toContain('from a contract');
  });

  it('prints the range of values with known bounds only', async () => {
    const audio = { type: 'input_audio', input_audio: { data: 'AAAA'.repeat(5_000), format: 'mp3' } };
    const body = { ...user([audio]), model: 'gpt-4o' };
    const { stdout } = await run(['-f', 'a.json'], { 'a.json': body });
    expect(stdout).toContain('input 26 tokens (at least 11, at most 157)\n  audio: 19\n');
    expect(stdout).toContain('highest cost unknown\n');
  });

  it('reports that no price is known, and that there is no limit', async () => {
    const { stdout } = await run(['-f', 'a.json'], { 'a.json': { ...user('Hi'), model: 'o9' } });
    expect(stdout).toContain('lowest cost unknown\nhighest cost unknown\nno price is known\n');
    const unlimited = { ...user('Hi'), model: 'o9', max_completion_tokens: 0 };
    expect((await run(['-f', 'a.json'], { 'a.json': unlimited })).stdout).toContain(
      'output without a limit\n',
    );
  });

  it.each([
    [[], 'give either a text or a request’s file (--file)', 1],
    [['Hello', '-f', 'a.json'], 'give either a text or a request’s file (--file)', 1],
    [['-f', 'b.json'], 'no such file', 1],
    [['-f', 'text.json'], '--file text.json is not JSON', 1],
    [['-f', 'list.json'], '--file list.json must hold one JSON object', 1],
    [['-f', 'a.json'], 'messages[0].role', 1],
    [['Hello', '--max-output-tokens', '0'], 'It must be a whole number above 0.', 2],
  ])('refuses %o with the message %s', async (args, message, exitCode) => {
    const files = {
      'a.json': { messages: [{ role: 'nobody', content: 'x' }] },
      'list.json': [],
      'text.json': 'Hello',
    };
    const { code, stderr } = await run(args, files);
    expect(stderr).toContain(message);
    expect(code).toBe(exitCode);
  });
});
