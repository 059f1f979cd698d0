import { describe, expect, it } from 'vitest';
import { createSchemaCompiler } from '../../../src/adapters/json-schema/schema-compiler.ts';
import { LIMIT_MS, misfits, object, schemas } from './misfits.ts';

async function reasonAgainst(schema: unknown): Promise<string | null> {
  const compiled = await schemas.compile(typeof schema === 'string' ? schema : JSON.stringify(schema));
  return 'reason' in compiled ? compiled.reason : null;
}

describe('a schema that cannot be used says why and where', () => {
  it.each<[string, unknown, RegExp]>([
    ['text that is no JSON', '{"type": "object"', /^it is not valid JSON$/],
    ['a list', '[]', /^it is not a JSON object$/],
    ['null', 'null', /^it is not a JSON object$/],
    [
      'a type that there is not',
      object({ city: { type: 'text' } }),
      /^properties\.city\.type must be .*"string".* or array$/,
    ],
    ['a keyword with a wrong value', object({}, { required: 'city' }), /^required must be array$/],
    [
      'a pattern that is none',
      object({ city: { pattern: '(' } }),
      /^Invalid regular expression: .*Unterminated group$/,
    ],
    [
      'a reference to nowhere',
      object({ city: { $ref: '#/$defs/city' } }),
      /refers to #\/\$defs\/city.*not in it/,
    ],
    [
      'a reference to another document',
      object({ city: { $ref: 'https://example.com/city.json' } }),
      /refers to https:\/\/example\.com\/city\.json, which is not in it/,
    ],
    ['a reference to itself', { $ref: '#' }, /refers to itself without end/],
    [
      'references in a circle',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }] } } },
      /refers to itself without end/,
    ],
    ['too many characters', { description: 'x'.repeat(65_536) }, /at most 65536/],
    ['nesting beyond the stack', `${'{"not":'.repeat(7_000)}{}${'}'.repeat(7_000)}`, /nested too deeply/],
    [
      'alternatives beyond the stack',
      `${'{"anyOf":['.repeat(2_500)}{}${']}'.repeat(2_500)}`,
      /nested too deeply/,
    ],
    [
      'alternatives that take seconds to compile',
      {
        anyOf: Array.from({ length: 2_000 }, () => ({ $ref: '#/$defs/many' })),
        $defs: { many: object(Object.fromEntries(Array.from({ length: 1_500 }, (_, n) => [`p${n}`, {}]))) },
        unevaluatedProperties: false,
      },
      /too long to compile/,
    ],
  ])('%s', async (_what, schema, reason) => {
    expect(await reasonAgainst(schema)).toMatch(reason);
  });
});

describe('a schema that any provider takes can be used', () => {
  it.each<[string, unknown, unknown]>([
    [
      'a tuple of draft-07 without its name',
      object({ pair: { type: 'array', items: [{}, {}] } }),
      { pair: [1, 2] },
    ],
    [
      'draft-07',
      { $schema: 'http://json-schema.org/draft-07/schema#', ...object({ a: { items: [{}] } }) },
      { a: [1] },
    ],
    [
      'draft 2020-12',
      {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        ...object({ a: { $ref: '#/$defs/a' } }, { $defs: { a: { prefixItems: [{ type: 'string' }] } } }),
      },
      { a: ['x', 1] },
    ],
    ['a draft that nobody knows', { $schema: 'https://example.com/my-draft', ...object({}) }, {}],
    ['keywords and formats that nobody knows', object({ a: { 'x-order': 1, format: 'mood' } }), { a: 'x' }],
    [
      'an id, references beside it',
      {
        $id: 'https://example.com/s',
        ...object({ a: { $ref: '#/$defs/n' } }, { $defs: { n: { type: 'null' } } }),
      },
      { a: null },
    ],
    ['the id of a draft', { $id: 'https://json-schema.org/draft/2020-12/schema', ...object({}) }, {}],
    ['the id keyword of old drafts', { id: 'mine', ...object({}) }, {}],
    ['nullable without a type', object({ a: { nullable: true, enum: ['x', null] } }), { a: null }],
    ['a pattern that is no Unicode one', object({ a: { pattern: '^[\\w-.]+$' } }), { a: 'x-y' }],
    ['recursion through members', object({ child: { $ref: '#' } }), { child: { child: {} } }],
  ])('%s', async (_what, schema, fitting) => {
    expect(await reasonAgainst(schema)).toBeNull();
    expect(await misfits(schema, fitting)).toEqual([]);
  });

  it('one that promises an answer later is held against values at once', async () => {
    const later = { $async: true, ...object({}, { required: ['a'] }) };
    expect(await misfits(later, {})).toMatchObject([{ path: 'arguments.a', code: 'missing_required' }]);
    expect(await misfits(later, { a: 1 })).toEqual([]);
  });

  it('whatever it calls itself, other schemas are not touched', async () => {
    const id = 'https://json-schema.org/draft/2020-12/schema';
    await schemas.compile(JSON.stringify({ $id: id, type: 'string' }));
    expect(await reasonAgainst({ $schema: id, type: 'nothing' })).toContain('type');
    expect(await misfits({ $schema: id, type: 'object', title: 'another' }, {})).toEqual([]);
  });
});

describe('a check that would take too long', () => {
  it('of a pattern that backtracks without end is given up, and not begun again after three', async () => {
    const schema = object({ name: { pattern: '^(a+)+$' } });
    const value = { name: `${'a'.repeat(100)}!` };
    for (let time = 0; time < 3; time += 1) expect(await misfits(schema, value, 1)).toBeNull();
    expect(await misfits(schema, { name: 'a' })).toBeNull();
  });

  it('of a value deeper than the stack is given up', async () => {
    const list = { type: 'array', items: { $ref: '#' } };
    const text = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const compiled = await schemas.compile(JSON.stringify(list));
    const json = { value: JSON.parse(text) as unknown, characters: text.length };
    expect('reason' in compiled || compiled.misfits(json, 'arguments', LIMIT_MS)).toBeNull();
  });

  it('of alternatives that multiply is given up', async () => {
    const twice = {
      anyOf: [
        { required: ['x'], properties: { a: { $ref: '#' } } },
        { required: ['y'], properties: { a: { $ref: '#' } } },
      ],
    };
    const value = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`);
    expect(await misfits({ ...twice, type: 'object' }, value, 20)).toBeNull();
  });

  it('is not begun when there is no time left', async () => {
    expect(await misfits({ type: 'object', title: 'late' }, {}, 0)).toBeNull();
  });

  it('is not the end of what comes after it', async () => {
    expect(await misfits(object({ name: { pattern: '^b+$' } }), { name: 'bbb' })).toEqual([]);
  });

  it('by its size alone is given a limit too', async () => {
    const schema = object(
      { list: { type: 'array', items: { type: 'integer' } } },
      { description: 'x'.repeat(60_000) },
    );
    expect(await misfits(schema, { list: Array.from({ length: 1_000 }, () => 1) })).toEqual([]);
  });
});

describe('the same text', () => {
  it('is compiled once, also when it is asked for twice at once', async () => {
    const text = JSON.stringify(object({ once: {} }));
    const [first, second] = await Promise.all([schemas.compile(text), schemas.compile(text)]);
    expect(second).toBe(first);
    expect(await schemas.compile(text)).toBe(first);
  });

  it('is compiled again when others took its place', async () => {
    const few = createSchemaCompiler({ maxEntries: 1, maxCharacters: 1_000 });
    const first = await few.compile('{"title":"first"}');
    await few.compile('{"title":"second"}');
    expect(await few.compile('{"title":"first"}')).not.toBe(first);
  });
});
