import { readFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Big } from 'big.js';
import { describe, expect, it } from 'vitest';
import { versionsOfFile } from '../../../../src/catalog/prices/versions/price-versions.ts';
import { runCommand } from '../../../support/run-command.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../../fixtures/prices/${name}`, import.meta.url));
const readFile = (path: string) => readFileSync(path, 'utf8');

interface PricedOutput {
  readonly id: string | number | null;
  readonly status: string;
  readonly totalCost: string | null;
  readonly currency: string | null;
  readonly lines: readonly { readonly kind: string; readonly amount: string }[];
  readonly reason?: string;
  readonly priceId?: string;
}

const noDatabase = { MONGODB_URL: 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1' };

/** Runs `costs calculate` over usage lines that come in pieces, without a database. */
async function calculate(usages: Iterable<string | Uint8Array>, ...args: string[]) {
  const { code, stdout, stderr } = await runCommand(
    noDatabase,
    ['costs', 'calculate', '--usage', '-', ...args],
    {
      openFile: () => Readable.from(usages),
    },
  );
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, stderr, priced: lines.map((line) => JSON.parse(line) as PricedOutput) };
}

const litellm = ['--prices', fixture('litellm-prices.json')] as const;
const usage = { prompt_tokens: 100, completion_tokens: 50 };
const line = (members: object) => `${JSON.stringify({ model: 'gpt-3.5-turbo', usage, ...members })}\n`;

describe('costs calculate', () => {
  it('prices the provider’s usage exactly, directly from a LiteLLM file', async () => {
    const text = readFile(fixture('cost-cases.jsonl'));
    const cases = text
      .trim()
      .split('\n')
      .map((json) => JSON.parse(json) as { id: string; expected_usd: string });
    const { code, stderr, priced } = await calculate([text], ...litellm);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(priced.map(({ id, status, currency, totalCost }) => [id, status, currency, totalCost])).toEqual(
      cases.map(({ id, expected_usd }) => [id, 'PRICED', 'USD', new Big(expected_usd).toFixed()]),
    );
    for (const { lines, totalCost } of priced) {
      const sum = lines.reduce((total, { amount }) => total.plus(amount), new Big(0));
      expect(sum.toFixed()).toBe(totalCost);
    }
  });

  it.each([null, '', 'default', 'standard', 'on_demand'])(
    'prices the served tier %j at the standard rate',
    async (tier) => {
      const { code, stderr, priced } = await calculate([line({ service_tier: tier }), line({})], ...litellm);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(priced[0]).toMatchObject({ status: 'PRICED' });
      expect(priced[0]).toEqual(priced[1]);
    },
  );

  it('prices the output file of a batch at the price of batches, and what failed at nothing', async () => {
    const body = (members: object = {}) => ({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      model: 'gpt-5.4-2026-03-05',
      service_tier: 'default',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 },
      ...members,
    });
    const batch = (customId: string, members: object) =>
      `${JSON.stringify({ id: 'batch_req_1', custom_id: customId, error: null, ...members })}\n`;
    const ok = { status_code: 200, request_id: 'req_1', body: body() };
    const { code, stderr, priced } = await calculate(
      [
        batch('one', { response: ok }),
        batch('two', { response: { status_code: 400, body: { error: { message: 'no' } } } }),
        batch('three', { response: null, error: { code: 'batch_expired', message: 'late' } }),
        `${JSON.stringify(body())}\n`,
        batch('four', { response: { status_code: 200, body: body({ usage: null }) } }),
      ],
      ...litellm,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('line 5: usage must be');
    expect(priced.map(({ id, status, totalCost }) => [id, status, totalCost])).toEqual([
      ['one', 'PRICED', '0.002'],
      ['two', 'NONE', null],
      ['three', 'NONE', null],
      ['chatcmpl-1', 'PRICED', '0.004'],
    ]);
  });

  it('prices a whole completion as the service does: a search model has searched once', async () => {
    const model = 'gpt-4o-mini-search-preview';
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }];
    const { priced } = await calculate(
      [
        line({ id: 1, model, choices }),
        line({ id: 2, model }),
        line({ id: 3, model, choices, web_search_calls: 0 }),
      ],
      '--prices',
      fileURLToPath(new URL('../../../../src/catalog/data/prices.json', import.meta.url)),
    );
    expect(priced.map(({ lines }) => lines.filter(({ kind }) => kind === 'web_search').length)).toEqual([
      1, 0, 0,
    ]);
  });

  it('prices calls of a regional endpoint with its uplift', async () => {
    const model = 'gpt-5.4-2026-03-05';
    const { priced } = await calculate(
      [line({ model }), line({ model, region: 'us' }), line({ model, region: 'xx' })],
      ...litellm,
      '--region',
      'eu',
    );
    expect(priced.map(({ totalCost }) => totalCost)).toEqual(['0.0011', '0.0011', null]);
  });

  it('reads usages as other providers write them', async () => {
    const { priced } = await calculate(
      [
        line({ usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 150 } }),
        line({ usage: undefined, x_groq: { usage } }),
        line({ usage: { input_tokens: 100, output_tokens: 50 } }),
        line({ usage: { prompt_tokens: 100, total_tokens: 100 } }),
        line({ usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 90 } }),
      ],
      ...litellm,
    );
    expect(priced.map(({ totalCost, reason }) => totalCost ?? reason)).toEqual([
      '0.000125',
      '0.000125',
      '0.000125',
      '0.00005',
      'invalid_usage',
    ]);
  });

  it('shows the calculation of each amount, and the version of the price', async () => {
    const { priced } = await calculate([line({ id: 7 })], ...litellm);
    expect(priced).toEqual([
      {
        id: 7,
        status: 'PRICED',
        totalCost: '0.000125',
        currency: 'USD',
        lines: [
          {
            direction: 'input',
            kind: 'input',
            quantity: 100,
            unit: 'token',
            unitSize: 1_000_000,
            unitPrice: '0.5',
            amount: '0.00005',
          },
          {
            direction: 'output',
            kind: 'output',
            quantity: 50,
            unit: 'token',
            unitSize: 1_000_000,
            unitPrice: '1.5',
            amount: '0.000075',
          },
        ],
        priceId: 'openai/gpt-3.5-turbo@1970-01-01T00:00:00.000Z',
      },
    ]);
  });

  it('prices with a file in the service’s own format at the given time', async () => {
    const prices = [
      '--prices',
      fileURLToPath(new URL('../../../../src/catalog/data/prices.json', import.meta.url)),
    ];
    const at = async (time: string) => (await calculate([line({})], ...prices, '--at', time)).priced[0];
    expect(await at('2023-12-31')).toMatchObject({ totalCost: '0.00025' });
    expect(await at('2024-01-25T00:00:00Z')).toMatchObject({ totalCost: '0.000125' });
    expect(await at('2020-01-01')).toMatchObject({ status: 'UNPRICED', totalCost: null, reason: 'no_price' });
  });

  it('takes the provider from the line, else from the option', async () => {
    const grok = line({ model: 'grok-4.20', provider: 'xai' });
    expect((await calculate([grok], ...litellm)).priced[0]?.priceId).toMatch(/^xai\/grok-4\.20@/);
    const named = await calculate([line({ model: 'grok-4.20' })], ...litellm, '--provider', 'xai');
    expect(named.priced[0]?.status).toBe('PRICED');
    const unnamed = await calculate([line({ model: 'grok-4.20' })], ...litellm);
    expect(unnamed).toMatchObject({ code: 0, priced: [{ status: 'UNPRICED', lines: [], currency: null }] });
  });

  it('counts tool calls that the line has in addition to the usage', async () => {
    const searched = line({ model: 'gpt-5.5', web_search_calls: 3, search_context_size: 'low' });
    const { priced } = await calculate([searched], ...litellm);
    expect(priced[0]?.lines.find(({ kind }) => kind === 'web_search')).toMatchObject({ amount: '0.03' });
  });

  it('leaves usage that does not add up unpriced', async () => {
    const odd = line({ usage: { ...usage, prompt_tokens_details: { cached_tokens: 101 } } });
    expect((await calculate([odd], ...litellm)).priced[0]).toMatchObject({
      status: 'UNPRICED',
      reason: 'invalid_usage',
    });
  });

  it.each([
    ['invalid JSON', 'nonsense\n', /not JSON/],
    ['a non-object', '[]\n', /must be a JSON object/],
    ['no model', line({ model: undefined }), /model must be the name/],
    ['an id of another kind', line({ id: {} }), /id must be text or a number/],
    ['no usage', line({ usage: undefined }), /usage must be the provider/],
    ['half a usage', line({ usage: { prompt_tokens: 1 } }), /prompt_tokens and completion_tokens/],
    [
      'a negative count',
      line({ usage: { ...usage, prompt_tokens: -1 } }),
      /usage\.prompt_tokens must be a whole/,
    ],
    [
      'a detail that is not a count',
      line({ usage: { ...usage, prompt_tokens_details: { cached_tokens: '7' } } }),
      /usage\.prompt_tokens_details\.cached_tokens must be a whole/,
    ],
    ['invalid details', line({ usage: { ...usage, prompt_tokens_details: 7 } }), /details must be an object/],
    ['an invalid tier', line({ service_tier: 7 }), /service_tier must be text/],
    ['an invalid count of tool calls', line({ web_search_calls: 0.5 }), /web_search_calls must be a whole/],
  ])('names the line with %s, prices the others and exits with 1', async (_what, bad, problem) => {
    const { code, stderr, priced } = await calculate(
      [line({ id: 1 }), '\n', bad, line({ id: 2 })],
      ...litellm,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^-, line 3: .*\n$/);
    expect(stderr).toMatch(problem);
    expect(priced.map(({ id }) => id)).toEqual([1, 2]);
  });

  it('reads lines in any pieces, with either line ending, and a last line without one', async () => {
    const bytes = Buffer.from(line({ id: 'ä' }).replace('\n', '\r\n') + line({ id: 'ö' }).trim());
    const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
    const { code, priced } = await calculate(pieces, ...litellm);
    expect(code).toBe(0);
    expect(priced.map(({ id }) => id)).toEqual(['ä', 'ö']);
  });

  it('writes page by page, and waits for a slower reader', async () => {
    const many = Array.from({ length: 2_000 }, (_, id) => line({ id }));
    let written = '';
    let isBusy = false;
    const slow = new Writable({
      highWaterMark: 1,
      decodeStrings: false,
      write(text: string, _encoding, done) {
        expect(isBusy).toBe(false);
        isBusy = true;
        setImmediate(() => {
          written += text;
          isBusy = false;
          done();
        });
      },
    });
    await runCommand(noDatabase, ['costs', 'calculate', '--usage', '-', ...litellm], {
      openFile: () => Readable.from(many),
      stdout: slow,
    });
    await new Promise((resolve) => slow.end(resolve));
    const ids = written
      .trim()
      .split('\n')
      .map((json) => (JSON.parse(json) as PricedOutput).id);
    expect(ids).toEqual(many.map((_, id) => id));
  });

  it('refuses a price file whose entries overlap, with both named', () => {
    const entry = {
      provider: 'openai',
      model: 'gpt-x',
      currency: 'USD',
      effectiveFrom: '2025-01-01',
      components: { input: '1', output: '2' },
      source: 'a test',
    };
    const text = JSON.stringify([entry, { ...entry, components: { input: '3', output: '4' } }]);
    expect(() => versionsOfFile({ name: 'twice.json', text })).toThrow(/twice\.json.*\n.*same instant/);
  });
});
