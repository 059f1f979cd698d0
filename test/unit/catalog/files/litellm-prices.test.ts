import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPriceFile } from '../../../../src/catalog/files/catalog-file.ts';

/** A LiteLLM file with one model; members are JSON text, so that the digits stay as written. */
function fileOf(members: string, key = 'gpt-x', more = ''): { name: string; text: string } {
  const text = `{"${key}": {"litellm_provider": "openai", "mode": "chat", ${members}}${more}}`;
  return { name: 'litellm.json', text };
}
const both = '"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06';
const entryOf = (members: string, key?: string) => readPriceFile(fileOf(members, key)).entries[0];
const reasonOf = (members: string) => readPriceFile(fileOf(members)).unpriced[0]?.reason;

describe('a price file of LiteLLM', () => {
  it('is read per million tokens, from the written digits', () => {
    const members =
      '"input_cost_per_token": 5e-07, "output_cost_per_token": 0.00000123456789, "cache_read_input_token_cost": 1.25E-8';
    expect(readPriceFile(fileOf(members))).toMatchObject({
      entries: [],
      unpriced: [{ name: 'openai/gpt-x' }],
    });
    expect(
      entryOf(
        '"input_cost_per_token": 5e-07, "output_cost_per_token": 0.000001234567, "cache_read_input_token_cost": 1.25E-8',
      ),
    ).toEqual({
      provider: 'openai',
      model: 'gpt-x',
      currency: 'USD',
      effectiveFrom: null,
      effectiveTo: null,
      components: { input: '0.5', output: '1.234567', cachedInput: '0.0125' },
      source: 'litellm.json',
    });
  });

  it('keeps every digit of any price that a cost event can hold, in any notation', () => {
    const millionthsPerMillion = fc.bigInt({ min: 0n, max: 999_999_999_999_999n });
    const written = (value: bigint) => [
      `${value}e-12`,
      `${value}.0E-12`,
      `0.${String(value).padStart(27, '0')}e+15`,
      `${value / 10n ** 12n}.${String(value % 10n ** 12n).padStart(12, '0')}`,
    ];
    fc.assert(
      fc.property(millionthsPerMillion, fc.nat(3), (value, form) => {
        const read = entryOf(`"input_cost_per_token": ${written(value)[form]}, "output_cost_per_token": 0`);
        const [whole = '', fraction = ''] = (read?.components.input ?? '').split('.');
        expect(BigInt(whole + fraction.padEnd(6, '0'))).toBe(value);
      }),
    );
  });

  it('has every kind of price: tiers, service tiers, batch and tools', () => {
    const members = `${both},
      "cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 1.25e-06,
      "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05,
      "input_cost_per_image_token": 3e-06, "output_cost_per_reasoning_token": 4e-06,
      "input_cost_per_token_above_272k_tokens": 2e-06, "output_cost_per_token_above_272k_tokens": 3e-06,
      "cache_read_input_token_cost_above_272k_tokens": 2e-07,
      "input_cost_per_token_flex": 5e-07, "output_cost_per_token_flex": 1e-06, "input_cost_per_image_token_flex": 1.5e-06,
      "input_cost_per_token_above_272k_tokens_flex": 1e-06, "output_cost_per_token_above_272k_tokens_flex": 1.5e-06,
      "input_cost_per_token_priority": 3e-06, "output_cost_per_token_priority": 6e-06,
      "cache_read_input_token_cost_priority": 3e-07,
      "input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 1e-06,
      "cache_read_input_token_cost_batches": 5e-08,
      "search_context_cost_per_query": {"search_context_size_low": 0.03, "search_context_size_medium": 0.035, "search_context_size_high": 0.05},
      "file_search_cost_per_1k_calls": 2.5, "source": "https://example.com/pricing"`;
    expect(entryOf(members)).toMatchObject({
      components: {
        input: '1',
        output: '2',
        cachedInput: '0.1',
        cacheWrite: '1.25',
        inputAudio: '40',
        outputAudio: '80',
        inputImage: '3',
        reasoning: '4',
        webSearch: '0.035',
        webSearchLow: '0.03',
        webSearchHigh: '0.05',
        fileSearch: '0.0025',
      },
      tiers: [{ aboveInputTokens: 272_000, components: { input: '2', output: '3', cachedInput: '0.2' } }],
      serviceTiers: {
        flex: {
          components: { input: '0.5', output: '1', inputImage: '1.5' },
          tiers: [{ aboveInputTokens: 272_000, components: { input: '1', output: '1.5' } }],
        },
        priority: { components: { input: '3', output: '6', cachedInput: '0.3' } },
        batch: { components: { input: '0.5', output: '1', cachedInput: '0.05' } },
      },
      source: 'https://example.com/pricing',
    });
    expect(readPriceFile(fileOf(members)).unusedKeys).toEqual([]);
  });

  it('has one fee for search sizes that cost the same', () => {
    const bySize =
      '"search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.01, "search_context_size_high": 0.01}';
    expect(entryOf(`${both}, ${bySize}`)?.components).toEqual({ input: '1', output: '2', webSearch: '0.01' });
  });

  it('names the provider’s model without the prefix of the key, and no other part of it', () => {
    expect(entryOf(both, 'openai/gpt-x')).toMatchObject({ provider: 'openai', model: 'gpt-x' });
    expect(entryOf(both, 'openai/meta/llama')).toMatchObject({ model: 'meta/llama' });
    expect(entryOf(both, 'azure/gpt-x')).toMatchObject({ model: 'azure/gpt-x' });
  });

  it('reports every key that no price was read from, with its number of models', () => {
    const more = `, "gpt-y": {"litellm_provider": "openai", "mode": "chat", ${both}, "rpm": 7, "supports_vision": true}`;
    const members = `${both}, "supports_vision": true, "deprecation_date": "2026-07-23", "input_cost_per_token_ultrafast": 1e-05,
      "cache_creation_input_token_cost_above_12hr": 2e-06, "cache_read_input_token_cost_priority": 1e-07`;
    expect(readPriceFile(fileOf(members, 'gpt-x', more)).unusedKeys).toEqual([
      { key: 'cache_creation_input_token_cost_above_12hr', models: 1 },
      // Without its own prices for input and output, it is not a price of that tier.
      { key: 'cache_read_input_token_cost_priority', models: 1 },
      { key: 'deprecation_date', models: 1 },
      { key: 'input_cost_per_token_ultrafast', models: 1 },
      { key: 'rpm', models: 1 },
      { key: 'supports_vision', models: 2 },
    ]);
  });

  it.each([
    ['no price of its own', '"rpm": 1', /no price per token/],
    ['a price for input only', '"input_cost_per_token": 1e-06', /for both input and output/],
    [
      'a threshold with half a price',
      `${both}, "input_cost_per_token_above_272k_tokens": 2e-06`,
      /above a number/,
    ],
    [
      'a price that is too fine',
      '"input_cost_per_token": 1.2345678e-06, "output_cost_per_token": 1',
      /at most 6 decimals/,
    ],
    [
      'a price beyond all bounds',
      '"input_cost_per_token": 1e999999999, "output_cost_per_token": 1e-999999999',
      /input_cost_per_token is not a price.*; output_cost_per_token is not a price/,
    ],
    [
      'a negative price',
      '"input_cost_per_token": -1e-06, "output_cost_per_token": 1',
      /input_cost_per_token is not a price/,
    ],
    [
      'a price in text',
      '"input_cost_per_token": "1e-06", "output_cost_per_token": 1',
      /input_cost_per_token is not a price/,
    ],
    [
      'an invalid fee',
      `${both}, "file_search_cost_per_1k_calls": "much"`,
      /file_search_cost_per_1k_calls is no/,
    ],
    [
      'invalid fees by size',
      `${both}, "search_context_cost_per_query": 1e-13`,
      /search_context_cost_per_query/,
    ],
    [
      'two prices for the same',
      `${both}, "cache_read_input_token_cost": 1e-07, "input_cost_per_token_cache_hit": 2e-07`,
      /0\.2 per million tokens, but another key has 0\.1/,
    ],
    ['a price by the hour', `${both}, "off_peak_pricing": {}`, /off_peak_pricing/],
    ['another kind of call', `${both}, "mode": "image_generation"`, /its mode is image_generation, not chat/],
    ['an invalid provider', `${both}, "litellm_provider": "one of https://example.com"`, /names no provider/],
  ])('does not price a model with %s, and reports the reason', (_what, members, reason) => {
    expect(readPriceFile(fileOf(members)).entries).toEqual([]);
    expect(reasonOf(members)).toMatch(reason);
  });

  it('reads fees per request, as one fee for what goes in and comes out', () => {
    expect(entryOf(`${both}, "input_cost_per_request": 0.005`)?.components).toEqual({
      input: '1',
      output: '2',
      request: '0.005',
    });
    const all = `${both}, "input_cost_per_request": 0.005, "output_cost_per_request": 0.001`;
    expect(entryOf(all)?.components.request).toBe('0.006');
    expect(entryOf(`${both}, "input_cost_per_request": 0`)?.components).not.toHaveProperty('request');
    expect(readPriceFile(fileOf(all)).unusedKeys).toEqual([]);
  });

  it('reads prices by ranges of input as tiers, whose thresholds are the ends of the ranges', () => {
    const range = (bounds: string, input: string, output: string, more = '') =>
      `{"range": ${bounds}, "input_cost_per_token": ${input}, "output_cost_per_token": ${output}${more}}`;
    const ranges = [
      range('[0, 32000.0]', '1e-06', '5e-06', ', "cache_read_input_token_cost": 1e-07'),
      range('[32000, 128000]', '1.5e-06', '7.5e-06', ', "output_cost_per_reasoning_token": 8e-06'),
      range('[128001, 1000000]', '3e-06', '1.5e-05'),
    ];
    const entry = entryOf(`"tiered_pricing": [${ranges.join(', ')}]`);
    expect(entry).toMatchObject({
      components: { input: '1', output: '5', cachedInput: '0.1' },
      tiers: [
        { aboveInputTokens: 32_000, components: { input: '1.5', output: '7.5', reasoning: '8' } },
        { aboveInputTokens: 128_000, components: { input: '3', output: '15' } },
      ],
    });
    const same = `"input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06, "tiered_pricing": [${ranges[0]}]`;
    expect(entryOf(same)?.components).toEqual({ input: '1', output: '5', cachedInput: '0.1' });
    expect(readPriceFile(fileOf(same)).unusedKeys).toEqual([
      { key: 'input_cost_per_token', models: 1 },
      { key: 'output_cost_per_token', models: 1 },
    ]);
  });

  it.each([
    ['a threshold', '_above_200k_tokens', ['tiers', 0]],
    ['a service tier', '_flex', ['serviceTiers', 'flex']],
  ])('is not cheaper above %s that leaves out a dearer component', (_what, suffix, path) => {
    const more =
      '"output_cost_per_reasoning_token": 9e-06, "input_cost_per_image_token": 7e-06, "cache_creation_input_token_cost": 6e-06, "cache_read_input_token_cost": 1e-07';
    const above = `"input_cost_per_token${suffix}": 2e-06, "output_cost_per_token${suffix}": 4e-06`;
    const at = `.${path.join('.')}.components`.slice(1);
    const entry = entryOf(`${both}, ${more}, ${above}`);
    expect(entry).toHaveProperty(at, {
      input: '2',
      output: '4',
      cacheWrite: '6',
      inputImage: '7',
      reasoning: '9',
    });
    // What the tier says itself holds, and so do its plain prices where they are dearer.
    const own = `"output_cost_per_reasoning_token${suffix}": 5e-06, "input_cost_per_image_token": 1e-06`;
    const cheap = '"cache_creation_input_token_cost": 1e-06, "output_cost_per_reasoning_token": 9e-06';
    expect(entryOf(`${both}, ${above}, ${own}, ${cheap}`)).toHaveProperty(at, {
      input: '2',
      output: '4',
      reasoning: '5',
    });
  });

  it('reads what a region costs more', () => {
    const uplift =
      '"regional_processing_uplift_multiplier_eu": 1.1, "regional_processing_uplift_multiplier_us": 1.10';
    expect(entryOf(`${both}, ${uplift}`)).toMatchObject({ regionalUplift: { eu: '1.1', us: '1.1' } });
    expect(readPriceFile(fileOf(`${both}, ${uplift}`)).unusedKeys).toEqual([]);
  });

  const tier = (range: string, more = '') =>
    `"tiered_pricing": [{"range": ${range}, "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06${more}}]`;
  it.each([
    ['input_cost_per_second', `${both}, "input_cost_per_second": 0.0001`],
    ['output_cost_per_second', `${both}, "output_cost_per_second": 0.0001`],
    ['input_cost_per_image', `${both}, "input_cost_per_image": 0.001`],
    ['output_cost_per_image', `${both}, "output_cost_per_image": 0.04`],
    ['output_cost_per_image_token', `${both}, "output_cost_per_image_token": 3e-05`],
    ['output_cost_per_video_token', `${both}, "output_cost_per_video_token": 3e-05`],
    ['input_cost_per_audio_per_second', `${both}, "input_cost_per_audio_per_second": 0.00002`],
    ['input_cost_per_character', `${both}, "input_cost_per_character": 2.5e-07`],
    ['citation_cost_per_token', `${both}, "citation_cost_per_token": 2e-06`],
    ['input_cost_per_query', `${both}, "input_cost_per_query": 0.002`],
    ['surcharge_cost', `${both}, "surcharge_cost": {"night": 1}`],
    ['input_cost_per_request is not a price', `${both}, "input_cost_per_request": "much"`],
    ['follow each other', tier('[1000, 2000]')],
    ['follow each other', tier('[0, 0]')],
    ['follow each other', tier('"all"')],
    ['follow each other', `${both}, "tiered_pricing": "soon"`],
    ['depends on output_range', tier('[0, 1000]', ', "output_range": [0, 200]')],
    ['input_cost_per_image', tier('[0, 1000]', ', "input_cost_per_image": 0.001')],
    [
      'beside tiered_pricing',
      `"input_cost_per_token": 1e-07, "output_cost_per_token": 1e-06, ${tier('[0, 9]')}`,
    ],
    ['beside tiered_pricing', `"input_cost_per_token_flex": 1e-07, ${tier('[0, 9]')}`],
    ['not a factor', `${both}, "regional_processing_uplift_multiplier_eu": "1.1"`],
    [
      'in a region it has more than 6 decimals',
      '"input_cost_per_token": 1.234567e-06, "output_cost_per_token": 1e-06, "regional_processing_uplift_multiplier_eu": 1.1',
    ],
  ])('refuses a model by name that would be cheaper here than it is: %s', (reason, members) => {
    const { entries, unpriced } = readPriceFile(fileOf(members));
    expect(entries).toEqual([]);
    expect(unpriced).toEqual([{ name: 'openai/gpt-x', reason: expect.stringContaining(reason) }]);
  });

  it('takes a fee of zero for no fee, and what a chat does not use for no part of its price', () => {
    const members = `${both}, "input_cost_per_image": 0, "output_cost_per_second": 0.0, "google_maps_grounding_cost_per_query": 0.014,
      "code_interpreter_cost_per_session": 0.03, "cache_creation_input_token_cost_above_1hr": 2e-06`;
    expect(entryOf(members)?.components).toEqual({ input: '1', output: '2' });
  });

  it('does not price a non-object', () => {
    const { unpriced } = readPriceFile(fileOf(both, 'gpt-x', ', "sample_spec": 7'));
    expect(unpriced).toEqual([{ name: 'sample_spec', reason: 'it is not an object' }]);
  });

  it('imports a model with two keys once, and not at all when the prices differ', () => {
    const again = (members: string) =>
      `, "openai/gpt-x": {"litellm_provider": "openai", "mode": "chat", ${members}}`;
    const reordered = '"output_cost_per_token": 0.000002, "input_cost_per_token": 0.000001';
    expect(readPriceFile(fileOf(both, 'gpt-x', again(reordered)))).toMatchObject({
      entries: [{ model: 'gpt-x' }],
      unpriced: [],
    });
    expect(
      readPriceFile(fileOf(both, 'gpt-x', again('"input_cost_per_token": 1, "output_cost_per_token": 1'))),
    ).toMatchObject({
      entries: [],
      unpriced: [
        { name: 'openai/gpt-x', reason: 'gpt-x and openai/gpt-x are the same model with different prices' },
      ],
    });
  });
});
