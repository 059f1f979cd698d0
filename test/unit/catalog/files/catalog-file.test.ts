import { describe, expect, it } from 'vitest';
import {
  InvalidCatalogFile,
  readModelFile,
  readPriceFile,
} from '../../../../src/catalog/files/catalog-file.ts';
import { shippedModels, shippedPrices } from '../../../../src/catalog/files/shipped-catalog.ts';
import { versionsOfFile } from '../../../../src/catalog/prices/versions/price-versions.ts';

const price = {
  provider: 'openai',
  model: 'gpt-x',
  currency: 'USD',
  effectiveFrom: '2025-01-01',
  components: { input: '2.50', output: '010' },
  source: 'https://example.com/pricing',
};
const file = (content: unknown) => ({ name: 'my.json', text: JSON.stringify(content) });

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof InvalidCatalogFile) return error.problems;
    throw error;
  }
  return [];
}

describe('a price file', () => {
  it('is read with unpadded amounts, instants in epoch ms and tiers in ascending order', () => {
    const tiers = [
      { aboveInputTokens: 500, components: { input: '3', output: '4' } },
      { aboveInputTokens: 200, components: { input: '2.0', output: '0.000001', cachedInput: '0.00' } },
    ];
    const { entries } = readPriceFile(file([{ ...price, tiers, effectiveTo: '2025-06-01T02:00:00+02:00' }]));
    expect(entries).toEqual([
      {
        ...price,
        effectiveFrom: Date.UTC(2025, 0, 1),
        effectiveTo: Date.UTC(2025, 5, 1),
        components: { input: '2.5', output: '10' },
        tiers: [
          { aboveInputTokens: 200, components: { input: '2', output: '0.000001', cachedInput: '0' } },
          { aboveInputTokens: 500, components: { input: '3', output: '4' } },
        ],
      },
    ]);
  });

  it('is refused with every problem at once, each with its path', () => {
    const problems = problemsOf(() =>
      readPriceFile(
        file([
          { ...price, components: { input: 2.5, output: '1.2345678', cached: '1' } },
          { ...price, currency: 'dollars', effectiveFrom: 'yesterday', model: ' ' },
          { ...price, effectiveTo: '2025-01-01' },
          { ...price, serviceTiers: { flex: { components: { input: '-1', output: '1' } } } },
          { ...price, tiers: [{ aboveInputTokens: 1.5, components: price.components }] },
          {
            ...price,
            tiers: [1, 1].map((aboveInputTokens) => ({ aboveInputTokens, components: price.components })),
          },
        ]),
      ),
    );
    expect(problems).toEqual([
      expect.stringMatching(/^\[0\]\.components\.input: .*quotes/),
      expect.stringMatching(/^\[0\]\.components\.output: .*6 after it/),
      expect.stringMatching(/^\[0\]\.components: .*"cached"/),
      expect.stringMatching(/^\[1\]\.model: /),
      expect.stringMatching(/^\[1\]\.currency: .*ISO 4217/),
      expect.stringMatching(/^\[1\]\.effectiveFrom: .*ISO 8601/),
      expect.stringMatching(/^\[2\]\.effectiveTo: .*later than effectiveFrom/),
      expect.stringMatching(/^\[3\]\.serviceTiers\.flex\.components\.input: /),
      expect.stringMatching(/^\[4\]\.tiers\[0\]\.aboveInputTokens: .*whole number/),
      expect.stringMatching(/^\[5\]\.tiers: .*twice/),
    ]);
  });

  it('that is not a list or not JSON is refused by name', () => {
    expect(problemsOf(() => readPriceFile(file({})))).toEqual([
      'the file: must be a list of prices, or LiteLLM’s object of models',
    ]);
    expect(() => readPriceFile({ name: 'my.json', text: '{' })).toThrow(
      /my\.json cannot be imported.*\n.*not JSON/,
    );
  });
});

describe('a model file', () => {
  it('is refused when it lists a model twice or has an unknown capability', () => {
    const model = {
      provider: 'openai',
      id: 'gpt-x',
      contextWindow: null,
      maxOutputTokens: 1,
      maxTokensParameter: 'max_tokens',
      refusedParameters: [],
      capabilities: [],
    };
    expect(problemsOf(() => readModelFile(file([model, { ...model, id: 'b' }, model])))).toEqual([
      'openai/gpt-x is listed 2 times, at [0], [2]',
    ]);
    expect(problemsOf(() => readModelFile(file([{ ...model, capabilities: ['smell'] }])))).toEqual([
      expect.stringMatching(/^\[0\]\.capabilities\[0\]: /),
    ]);
  });
});

describe('the shipped catalog', () => {
  const prices = readPriceFile(shippedPrices).entries;
  const models = readModelFile(shippedModels);
  const componentsOf = (model: string) =>
    prices
      .filter((entry) => entry.model === model)
      .map(({ components: { input, output } }) => [input, output]);

  it('has the prices of the specification, with their history', () => {
    expect(componentsOf('gpt-3.5-turbo')).toEqual([
      ['1.5', '2'],
      ['0.5', '1.5'],
    ]);
    expect(componentsOf('gpt-4')).toEqual([['30', '60']]);
    expect(componentsOf('gpt-4-turbo')).toEqual([['10', '30']]);
  });

  it('has the capabilities of each model, and every alias and snapshot once', () => {
    const withAudio = models.filter(({ capabilities }) => capabilities.includes('audio_input'));
    expect(withAudio.map(({ id }) => id)).toContain('gpt-audio');
    for (const { id, capabilities } of models) expect(capabilities, id).toContain('chat');
    const known = new Set(models.map(({ id }) => id));
    for (const { id, snapshot } of models.filter((model) => model.snapshot !== null)) {
      expect(known, id).toContain(snapshot);
    }
  });

  it('has a price for every model, or for its base', () => {
    const priced = new Set(prices.map(({ model }) => model));
    const hasPrice = (id: string) => priced.has(id) || priced.has(id.replace(/-\d{4}-\d{2}-\d{2}$/, ''));
    expect(models.map(({ id }) => id).filter((id) => !hasPrice(id))).toEqual([]);
  });

  it('has prices that do not overlap', () => {
    expect(versionsOfFile(shippedPrices)).toHaveLength(prices.length);
  });

  it('has reasoning models that refuse sampling parameters and accept max_completion_tokens', () => {
    const reasoning = models.filter(({ id }) => /^(o\d|gpt-[56])/.test(id));
    expect(reasoning.length).toBeGreaterThan(0);
    for (const model of reasoning) {
      const { maxTokensParameter, refusedParameters, refusedWhileReasoning } = model;
      expect(maxTokensParameter).toBe('max_completion_tokens');
      expect([...refusedParameters, ...refusedWhileReasoning]).toEqual(
        expect.arrayContaining(['temperature', 'top_p', 'logprobs', 'presence_penalty']),
      );
    }
  });

  it('has models that accept sampling parameters without reasoning, from gpt-5.1 on', () => {
    const withChoice = models.filter(({ refusedWhileReasoning }) => refusedWhileReasoning.length > 0);
    expect(withChoice.map(({ id }) => id)).toEqual(
      models.map(({ id }) => id).filter((id) => /^gpt-(5\.\d|6-(luna|sol)|6\.1-terra)/.test(id)),
    );
  });
});
