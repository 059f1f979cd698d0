import { describe, expect, it } from 'vitest';
import { misfits, object } from './misfits.ts';

function problemsOf(schema: unknown, value: unknown) {
  const problems = misfits(schema, value);
  if (!Array.isArray(problems)) throw new Error(String(problems));
  return problems;
}

describe('a value that does not fit is reported with path, kind and expectation', () => {
  const nested = object({ location: object({ city: { type: 'string' } }, { required: ['city'] }) });
  it.each<[string, unknown, unknown, unknown[]]>([
    [
      'a member is missing',
      nested,
      { location: {} },
      [
        {
          path: 'arguments.location.city',
          code: 'missing_required',
          message: 'arguments.location.city is missing',
        },
      ],
    ],
    [
      'a type is wrong',
      nested,
      { location: { city: 7 } },
      [
        {
          path: 'arguments.location.city',
          code: 'wrong_type',
          message: expect.stringMatching(/must be string$/),
        },
      ],
    ],
    [
      'the whole is wrong',
      nested,
      [],
      [{ path: 'arguments', code: 'wrong_type', message: 'arguments must be object' }],
    ],
    [
      'a member is not known',
      object({}, { additionalProperties: false }),
      { mood: 1 },
      [
        {
          path: 'arguments.mood',
          code: 'unexpected_property',
          message: 'arguments.mood is not a property of the schema',
        },
      ],
    ],
    [
      'a value is not among those allowed',
      object({ unit: { enum: ['C', 'F'] } }),
      { unit: 'K' },
      [{ path: 'arguments.unit', code: 'wrong_value', message: 'arguments.unit must be one of "C", "F"' }],
    ],
    [
      'a list has a wrong member',
      object({ days: { type: 'array', items: { type: 'integer', minimum: 1 } } }),
      { days: [1, 'x', 0] },
      [
        { path: 'arguments.days[1]', code: 'wrong_type' },
        { path: 'arguments.days[2]', code: 'out_of_bounds', message: 'arguments.days[2] must be >= 1' },
      ],
    ],
    [
      'a name needs quotes',
      object({ 'a/b ~c': { type: 'null' }, 7: { type: 'null' } }),
      { 'a/b ~c': 1, 7: 1 },
      [{ path: 'arguments["7"]' }, { path: 'arguments["a/b ~c"]' }],
    ],
    [
      'a format is wrong',
      object({ day: { format: 'date' }, zip: { pattern: '^\\d{5}$' } }),
      { day: 'soon', zip: 'x' },
      [
        { path: 'arguments.day', code: 'wrong_format', message: expect.stringContaining('"date"') },
        { path: 'arguments.zip', code: 'wrong_format', message: expect.stringContaining('^\\d{5}$') },
      ],
    ],
    [
      'an alternative is right but for a member',
      object({ at: { anyOf: [{ type: 'object', required: ['lat'] }, { type: 'null' }] } }),
      { at: {} },
      [{ path: 'arguments.at.lat', code: 'missing_required' }],
    ],
    [
      'no alternative is right',
      object(
        { at: { anyOf: [{ type: 'string' }, { $ref: '#/$defs/none' }] } },
        { $defs: { none: { type: 'null' } } },
      ),
      { at: 7 },
      [{ path: 'arguments.at', code: 'wrong_type', message: 'arguments.at must be string or null' }],
    ],
    [
      'a neighbour of a union',
      { type: 'object', required: ['a'], anyOf: [{ type: 'null' }, { type: 'string' }] },
      {},
      [{ path: 'arguments', message: 'arguments must be null or string' }, { path: 'arguments.a' }],
    ],
    [
      'an alternative behind a reference in a definition',
      {
        $ref: '#/$defs/u',
        $defs: {
          u: { anyOf: [{ $ref: '#/$defs/o' }, { type: 'null' }] },
          o: { type: 'object', required: ['x'] },
        },
      },
      {},
      [{ path: 'arguments.x', code: 'missing_required' }],
    ],
    [
      'an alternative behind a reference that has references',
      object(
        { at: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } },
        { $defs: { a: object({ b: { $ref: '#/$defs/b' } }), b: object({}, { required: ['c'] }) } },
      ),
      { at: { b: {} } },
      [{ path: 'arguments.at.b.c', code: 'missing_required' }],
    ],
    [
      'a union and a constant beside it',
      object({ at: { const: 7, anyOf: [{ type: 'string' }, { type: 'null' }] } }),
      { at: 8 },
      [{ message: 'arguments.at must be 7' }, { message: 'arguments.at must be string or null' }],
    ],
    [
      'a type and a union beside it',
      object({ at: { type: ['object', 'null'], anyOf: [{ type: 'object' }, { type: 'null' }] } }),
      { at: 8 },
      [{ message: 'arguments.at must be object or null' }],
    ],
    [
      'two alternatives fit where one may',
      object({ at: { oneOf: [{ type: 'number' }, { type: 'integer' }] } }),
      { at: 7 },
      [{ path: 'arguments.at', code: 'does_not_fit', message: expect.stringContaining('more than one') }],
    ],
    [
      'the excluded is there',
      object({ at: { not: { const: 7 } } }),
      { at: 7 },
      [{ path: 'arguments.at', code: 'does_not_fit' }],
    ],
    [
      'nothing is allowed',
      object({ at: false }),
      { at: 7 },
      [{ path: 'arguments.at', code: 'unexpected_property' }],
    ],
    [
      'a name is not allowed',
      object({}, { propertyNames: { maxLength: 2 } }),
      { long: 1 },
      [{ path: 'arguments.long', code: 'unexpected_property' }],
    ],
    [
      'a condition is not met',
      JSON.parse('{"if":{"required":["a"]},"then":{"required":["b"]},"dependentRequired":{"a":["c"]}}'),
      { a: 1 },
      [
        { path: 'arguments.b', code: 'missing_required' },
        { path: 'arguments.c', code: 'missing_required' },
      ],
    ],
    [
      'members repeat',
      { type: 'array', uniqueItems: true },
      [1, 1],
      [{ path: 'arguments', code: 'does_not_fit' }],
    ],
    [
      'a name is inherited by every object',
      object({}, { required: ['toString'] }),
      {},
      [{ path: 'arguments.toString', code: 'missing_required' }],
    ],
    [
      'many values are allowed',
      object({ n: { enum: Array.from({ length: 500 }, (_, index) => index) } }),
      { n: 'x' },
      [{ message: 'arguments.n must be one of 0, 1, 2, 3, 4, 5, 6, 7 and 492 more' }],
    ],
    [
      'a constant or a type',
      object({ n: { anyOf: [{ const: 'yes' }, { type: 'null' }] } }),
      { n: 'no' },
      [{ code: 'does_not_fit', message: 'arguments.n must be "yes" or null' }],
    ],
    [
      'a condition is of a type',
      JSON.parse('{"if":{},"then":{"properties":{"a":{"type":"null"}}}}'),
      { a: 1 },
      [{ path: 'arguments.a', code: 'wrong_type' }],
    ],
    ['a constant', object({ n: { const: 'yes' } }), { n: 'no' }, [{ message: 'arguments.n must be "yes"' }]],
  ])('%s', (_what, schema, value, problems) => {
    expect(misfits(schema, value)).toMatchObject(problems);
  });

  it('with eight problems at most, each once, and short', () => {
    const names = Array.from({ length: 30 }, (_, index) => `n${index}`);
    expect(misfits(object({}, { required: names }), {})).toHaveLength(8);
    const named = object({}, { additionalProperties: false });
    const [problem] = problemsOf(named, { ['x'.repeat(90_000)]: 1 });
    expect(problem?.path.length).toBeLessThan(100);
    const deep = { type: 'array', items: { $ref: '#' } };
    const value = JSON.parse(`${'['.repeat(200)}1${']'.repeat(200)}`);
    const [deepest] = problemsOf(deep, value);
    expect(deepest?.path.length).toBeLessThanOrEqual(200);
    expect(deepest?.message).toMatch(/…$|must be array$/);
    const twice = { allOf: [{ required: ['a'] }, { required: ['a'] }] };
    expect(misfits(twice, {})).toHaveLength(1);
  });

  it('without any text of the value', () => {
    const secret = 'swordfish';
    const schema = object({
      a: { type: 'integer' },
      b: { enum: [1] },
      c: { pattern: '^x' },
      d: { format: 'date' },
      e: { maxLength: 1 },
      f: { anyOf: [{ const: 1 }, { const: 2 }] },
    });
    const value = Object.fromEntries([...'abcdef'].map((name) => [name, secret]));
    const problems = misfits(schema, value);
    expect(problems).toHaveLength(6);
    expect(JSON.stringify(problems)).not.toContain(secret);
  });
});
