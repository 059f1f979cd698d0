import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Place, providerFields, renderProviderFields } from './provider-fields.ts';
import { type ProviderObject, providerPaths } from './provider-types.ts';
import { recordPaths } from './record-paths.ts';

const objects = Object.keys(providerFields) as ProviderObject[];
const declared = providerPaths(objects);
const places = objects.flatMap((name) =>
  Object.entries(providerFields[name].places).map(([path, place]) => [name, path, place] as const),
);

describe.each(objects)('the table of %s', (name) => {
  const mapped = Object.keys(providerFields[name].places);

  it('has every member that the package declares', () => {
    expect(declared[name].filter((path) => !mapped.includes(path))).toEqual([]);
  });

  it('has nothing that the package does not declare', () => {
    expect(mapped.filter((path) => !declared[name].includes(path))).toEqual([]);
  });
});

describe('the list of what the package declares', () => {
  it('goes through lists, unions, nested and optional objects, and stops where names are free', () => {
    expect(declared.ChatCompletionCreateParamsBase).toEqual(
      expect.arrayContaining(['stop', 'stop[]', 'messages[].content[].image_url.detail', 'logit_bias']),
    );
    expect(declared.ChatCompletionChunk).toContain('choices[].delta.tool_calls[].function.arguments');
    expect(declared.ChatCompletion).toContain('moderation.input.results[].category_scores');
  });
});

describe('the tables', () => {
  it('name only fields that our records have', () => {
    const fields = new Set(
      ['ChatRequest', 'ChatChunk', 'ChatResponse', 'CostCalculated'].flatMap((name) =>
        recordPaths(JSON.parse(readFileSync(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8'))),
      ),
    );
    const named = places.flatMap(([, , place]) => (isFields(place) ? place : []));
    expect(named.filter((field) => !fields.has(field))).toEqual([]);
  });

  it('tell at least one field, or a reason, for each member', () => {
    for (const [name, path, place] of places) {
      const told = isFields(place) ? place.join() : 'always' in place ? place.because : place.leftOut;
      expect(told, `${name} ${path}`).toMatch(/\w+/);
    }
  });

  it('are what docs/provider-fields.md shows', async () => {
    await expect(renderProviderFields()).toMatchFileSnapshot('../../docs/provider-fields.md');
  });
});

function isFields(place: Place): place is readonly string[] {
  return Array.isArray(place);
}
