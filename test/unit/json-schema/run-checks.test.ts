import { describe, expect, it } from 'vitest';
import { CheckRunner } from '../../../src/adapters/json-schema/engine/run-checks.ts';
import { checked, checkedText, misfits, object, verdictOn } from './misfits.ts';

describe('what is not a JSON Schema is invalid', () => {
  it.each<[string, unknown, RegExp]>([
    ['text that is not JSON', '{"type": "object"', /^it is not valid JSON$/],
    ['a list', '[]', /^it is not a JSON object$/],
    ['null', 'null', /^it is not a JSON object$/],
    [
      'an unknown type',
      object({ city: { type: 'text' } }),
      /^properties\.city\.type must be .*"string".* or array$/,
    ],
    ['a keyword with a wrong value', object({}, { required: 'city' }), /^required must be array$/],
  ])('%s', (_what, schema, reason) => {
    expect(verdictOn(schema)).toEqual({ kind: 'invalid', reason: expect.stringMatching(reason) });
  });
});

describe('a possible JSON Schema that cannot be used here is unchecked, with a reason', () => {
  const look = object({ city: { pattern: '(?<=a)b' } });
  it.each<[string, unknown, RegExp]>([
    ['a pattern that looks behind', look, /^the pattern at properties\.city\.pattern cannot be checked$/],
    [
      'an invalid pattern',
      object({ 'the city': { pattern: '(' } }),
      /^the pattern at properties\["the city"\]\.pattern/,
    ],
    [
      'two of them',
      { allOf: [look, look] },
      /^the pattern at allOf\[0\]\.properties\.city\.pattern and 1 more cannot/,
    ],
    [
      'a pattern of names',
      { patternProperties: { '(?=a)': {} } },
      /^the pattern at patternProperties cannot/,
    ],
    [
      'a pattern at an unknown keyword',
      { $ref: '#/x-mine', 'x-mine': { pattern: '(?=a)' } },
      /^a pattern of the schema cannot be checked$/,
    ],
    [
      'a reference to nowhere',
      object({ city: { $ref: '#/$defs/city' } }),
      /refers to something that is not in it/,
    ],
    [
      'a reference to another document',
      object({ city: { $ref: 'https://example.com/city.json' } }),
      /refers to something that is not in it/,
    ],
    ['a reference to itself', { $ref: '#' }, /refers to itself without end/],
    [
      'references in a circle',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }] } } },
      /refers to itself without end/,
    ],
    ['nesting beyond the stack', `${'{"not":'.repeat(7_000)}{}${'}'.repeat(7_000)}`, /nested too deeply/],
    [
      'alternatives beyond the stack',
      `${'{"anyOf":['.repeat(2_500)}{}${']}'.repeat(2_500)}`,
      /nested too deeply/,
    ],
    [
      'many parts below long names',
      object({
        ['x'.repeat(30_000)]: object(
          Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`p${n}`, {}])),
        ),
      }),
      /too many parts/,
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
    [
      'a name that two schemas have',
      object({}, { $defs: { a: { $id: 'x' }, b: { $id: 'x', type: 'null' } } }),
      /has keywords that cannot be compiled/,
    ],
  ])('%s', (_what, schema, reason) => {
    expect(verdictOn(schema)).toEqual({ kind: 'unchecked', reason: expect.stringMatching(reason) });
  });
});

describe('a schema that any provider accepts can be used', () => {
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
    ['an unknown draft', { $schema: 'https://example.com/my-draft', ...object({}) }, {}],
    ['unknown keywords and formats', object({ a: { 'x-order': 1, format: 'mood' } }), { a: 'x' }],
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
    ['a format of any length', object({ a: { format: 'byte' } }), { a: 'YWJj'.repeat(20_000) }],
    ['recursion through members', object({ child: { $ref: '#' } }), { child: { child: {} } }],
  ])('%s', (_what, schema, fitting) => {
    expect(verdictOn(schema)).toEqual({ kind: 'usable' });
    expect(misfits(schema, fitting)).toEqual([]);
  });

  it('an asynchronous one is checked synchronously', () => {
    const later = { $async: true, ...object({}, { required: ['a'] }) };
    expect(misfits(later, {})).toMatchObject([{ path: 'arguments.a', code: 'missing_required' }]);
    expect(misfits(later, { a: 1 })).toEqual([]);
  });

  it('other schemas are not affected by its id', () => {
    const id = 'https://json-schema.org/draft/2020-12/schema';
    expect(verdictOn({ $id: id, type: 'string' })).toEqual({ kind: 'usable' });
    expect(verdictOn({ $schema: id, type: 'nothing' })).toMatchObject({ kind: 'invalid' });
    expect(misfits({ $schema: id, type: 'object', title: 'another' }, {})).toEqual([]);
  });
});

describe('a schema of another dialect is sent, and its values are not checked', () => {
  const draft4 = 'http://json-schema.org/draft-04/schema#';
  it.each<[string, unknown]>([
    ['draft-04 bounds', object({ a: { type: 'integer', minimum: 0, exclusiveMinimum: true } })],
    [
      'draft-04 bounds that say so',
      { $schema: draft4, ...object({ a: { maximum: 1, exclusiveMaximum: false } }) },
    ],
    ['bounds in a list', { anyOf: [{ minimum: 0, exclusiveMinimum: true }, { type: 'string' }] }],
    ['draft-03 members', object({ a: { type: 'string', required: true } })],
    ['draft-03 types', object({ a: { type: 'any' }, b: { type: ['string', { type: 'object' }] } })],
    ['types in capitals', { type: 'OBJECT', properties: { a: { type: 'STRING' } } }],
    [
      'null for what is left out',
      { ...object({ a: { type: 'string', description: null, enum: ['x'] } }), required: null },
    ],
    ['annotations of another type', object({ a: { type: 'string', title: 7, examples: 'x' } })],
    ['an unknown dialect', { $schema: 'https://example.com/dialect', type: 'thing' }],
  ])('%s', (_what, schema) => {
    const reason = expect.stringContaining('a dialect that is not checked here');
    expect(verdictOn(schema)).toEqual({ kind: 'unchecked', reason });
    expect(checked(schema, { a: 5 })).toEqual({ kind: 'not_checked', reason });
  });

  it.each<[string, unknown]>([
    ['a type of no dialect', object({ a: { type: 'dict' } })],
    ['a wrong bound beside an older one', object({ a: { minimum: '0', exclusiveMinimum: true } })],
    ['a draft that is known', { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'thing' }],
  ])('but not %s', (_what, schema) => {
    expect(verdictOn(schema)).toMatchObject({ kind: 'invalid' });
  });

  it('is checked if it uses no dialect-specific keyword', () => {
    const schema = { $schema: draft4, id: 'x', ...object({ a: { type: 'string' } }) };
    expect(misfits(schema, { a: 5 })).toMatchObject([{ path: 'arguments.a', code: 'wrong_type' }]);
  });

  it('has members whose names are keywords', () => {
    const schema = object({ required: true, exclusiveMinimum: { type: 'string' }, title: false });
    expect(verdictOn(schema)).toEqual({ kind: 'usable' });
  });
});

describe('a pattern that cannot be checked', () => {
  const password = { pattern: '^(?=.*[0-9]).+$' };

  it('does not prevent the check of the rest of the schema', () => {
    const schema = object({ password, name: { pattern: '^[a-z]+$' } }, { required: ['name'] });
    const reason = 'the pattern at properties.password.pattern cannot be checked';
    expect(checked(schema, { name: 'x', password: '1' })).toEqual({ kind: 'not_checked', reason });
    expect(checked(schema, { name: 'x' })).toEqual({ kind: 'not_checked', reason });
    expect(misfits(schema, { password: '1' })).toMatchObject([{ code: 'missing_required' }]);
    expect(misfits(schema, { name: 'X' })).toMatchObject([{ path: 'arguments.name', code: 'wrong_format' }]);
  });

  it.each<[string, object, unknown]>([
    ['excluded', { not: password }, 'a1'],
    ['one of several', { oneOf: [password, { maxLength: 3 }] }, 'abc'],
    [
      'a condition',
      JSON.parse('{"if":{"pattern":"(?=x)"},"then":{"maxLength":1},"else":{"minLength":9}}'),
      'abc',
    ],
    [
      'of names, beside others',
      { patternProperties: { '(?=a)': {} }, additionalProperties: false },
      { a: 1 },
    ],
    ['of names, evaluated', { patternProperties: { '(?=a)': {} }, unevaluatedProperties: false }, { a: 1 }],
    ['counted', { contains: password, maxContains: 1 }, ['a1', 'b']],
    ['counted to none', { contains: password, minContains: 0 }, []],
    ['excluded behind a reference', { not: { $ref: '#/$defs/p' }, $defs: { p: password } }, 'a1'],
    [
      'one of several behind a reference',
      { oneOf: [{ $ref: '#/$defs/p' }, true], $defs: { p: password } },
      'abc',
    ],
    [
      'evaluated elsewhere',
      { anyOf: [{ properties: { a: password } }], unevaluatedProperties: false },
      { a: '1' },
    ],
  ])('reports no problem for a valid value where it is %s', (_what, schema, value) => {
    expect(checked(schema, value)).toMatchObject({ kind: 'not_checked' });
  });

  it('in one alternative does not affect the others', () => {
    const schema = { oneOf: [{ type: 'string', ...password }, { type: 'null' }] };
    expect(misfits(schema, 7)).toMatchObject([
      { code: 'wrong_type', message: 'arguments must be string or null' },
    ]);
  });
});

describe('a check that would take too long', () => {
  it('is made for a pattern that backtracks endlessly in other engines', () => {
    const schema = object({ name: { pattern: '^(a+)+$' } });
    expect(misfits(schema, { name: `${'a'.repeat(10_000)}!` })).toMatchObject([{ code: 'wrong_format' }]);
    expect(misfits(schema, { name: 'a' })).toEqual([]);
  });

  it('is aborted for a value deeper than the stack', () => {
    const list = { type: 'array', items: { $ref: '#' } };
    const text = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(checkedText(list, text)).toEqual({
      kind: 'not_checked',
      reason: 'the value is nested too deeply',
    });
  });

  it('is aborted for alternatives that multiply', () => {
    const twice = {
      anyOf: [
        { required: ['x'], properties: { a: { $ref: '#' } } },
        { required: ['y'], properties: { a: { $ref: '#' } } },
      ],
    };
    const value = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`);
    expect(misfits({ ...twice, type: 'object' }, value, 20)).toBe('the check takes too long');
  });

  it('does not begin when no time is left', () => {
    expect(misfits({ type: 'object', title: 'late' }, {}, 0)).toBe('there was no time left');
  });

  it('does not affect later checks', () => {
    expect(misfits(object({ name: { pattern: '^b+$' } }), { name: 'bbb' })).toEqual([]);
  });

  it('has a limit for its size alone too', () => {
    const schema = object(
      { list: { type: 'array', items: { type: 'integer' } } },
      { description: 'x'.repeat(60_000) },
    );
    expect(misfits(schema, { list: Array.from({ length: 1_000 }, () => 1) })).toEqual([]);
    const long = { list: Array.from({ length: 10_000 }, () => 'x') };
    expect(misfits(schema, long)).toMatchObject([{ path: 'arguments.list[0]' }]);
  });
});

describe('a format', () => {
  it('is not applied to text that is far too long', () => {
    const schema = object({ mail: { format: 'email' } });
    expect(misfits(schema, { mail: 'a'.repeat(5_000) })).toBe(
      'a text is too long for its format to be checked',
    );
    expect(misfits(schema, { mail: 'a' })).toMatchObject([{ code: 'wrong_format' }]);
    expect(misfits(schema, { mail: 'a@b.example' })).toEqual([]);
  });

  it('for regular expressions never compiles the text', () => {
    const schema = object({ search: { format: 'regex' } });
    expect(misfits(schema, { search: '^a+$' })).toEqual([]);
    expect(misfits(schema, { search: '(?<='.repeat(10_000) })).toMatch(/^a text /);
    expect(misfits(schema, { search: '(' })).toMatch(/^a text cannot be checked for being a regular/);
  });

  it('still has bounds', () => {
    const schema = object({ day: { format: 'date', formatMinimum: '2024-01-01' } });
    expect(misfits(schema, { day: '2023-12-31' })).toHaveLength(1);
    expect(misfits(schema, { day: '2024-01-01' })).toEqual([]);
  });
});

describe('a turn', () => {
  const value = { text: '{}', root: 'arguments', isObject: true };

  it('checks at least one item', () => {
    const runner = new CheckRunner();
    const slow = { schemaId: 1, schemaJson: JSON.stringify({ $ref: '#', title: 'x' }), value };
    const twice = {
      anyOf: [
        { properties: { a: { $ref: '#' } }, required: ['x'] },
        { properties: { a: { $ref: '#' } }, required: ['y'] },
      ],
    };
    const text = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;
    const hard = { schemaId: 2, schemaJson: JSON.stringify(twice), value: { ...value, text } };
    const done = runner.run([
      { items: [hard, slow], limitMs: 200 },
      { items: [slow], limitMs: 200 },
    ]);
    expect(done.map(({ results }) => results.length)).toEqual([1]);
    expect(done[0]?.results[0]).toMatchObject({ overran: true, check: { kind: 'not_checked' } });
  });

  it('reports schemas that it does not know', () => {
    const [job] = new CheckRunner().run([
      { items: [{ schemaId: 7, schemaJson: null, value }], limitMs: 200 },
    ]);
    expect(job?.results).toEqual([{ verdict: null, check: null, overran: false }]);
  });

  it('checks values without a schema', () => {
    const without = (text: string, isObject: boolean) =>
      new CheckRunner().run([
        {
          items: [{ schemaId: null, schemaJson: null, value: { text, root: 'content', isObject } }],
          limitMs: 9,
        },
      ])[0]?.results[0]?.check;
    expect(without('{}', true)).toEqual({ kind: 'checked', problems: [] });
    expect(without('7', false)).toEqual({ kind: 'checked', problems: [] });
    expect(without('7', true)).toMatchObject({ problems: [{ path: 'content', code: 'wrong_type' }] });
    expect(without('{', true)).toEqual({ kind: 'unparsable' });
  });
});
