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

  it('has no member that the package does not declare', () => {
    expect(mapped.filter((path) => !declared[name].includes(path))).toEqual([]);
  });
});

describe('the list of declared members', () => {
  it('follows lists, unions, nested and optional objects, and stops at objects with free names', () => {
    expect(declared.ChatCompletionCreateParamsBase).toEqual(
      expect.arrayContaining(['stop', 'stop[]', 'messages[].content[].image_url.detail', 'logit_bias']),
    );
    expect(declared.ChatCompletionChunk).toContain('choices[].delta.tool_calls[].function.arguments');
    expect(declared.ChatCompletion).toContain('moderation.input.results[].category_scores');
  });
});

describe('the tables', () => {
  it('name only existing fields of the records', () => {
    const fields = new Set(
      ['ChatRequest', 'ChatChunk', 'ChatResponse', 'CostCalculated'].flatMap((name) =>
        recordPaths(JSON.parse(readFileSync(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8'))),
      ),
    );
    const named = places.flatMap(([, , place]) => (isFields(place) ? place : []));
    expect(named.filter((field) => !fields.has(field))).toEqual([]);
  });

  it('name at least one field, or a reason, for each member', () => {
    for (const [name, path, place] of places) {
      const entry = isFields(place) ? place.join() : 'set' in place ? place.because : place.leftOut;
      expect(entry, `${name} ${path}`).toMatch(/\w+/);
    }
  });

  it('are the content of docs/provider-fields.md', async () => {
    await expect(renderProviderFields()).toMatchFileSnapshot('../../docs/provider-fields.md');
  });
});

function isFields(place: Place): place is readonly string[] {
  return Array.isArray(place);
}
