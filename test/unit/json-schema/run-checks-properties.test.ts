import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkedText } from './misfits.ts';

const LINEAR = ['^a', 'b$', '^[a-c]+$', '\\d', '^\\w{1,3}$', '(a|b)c?', '^$', '[^a]', '\\p{Lu}', '^.b'];
const OTHERS = ['(?=a)', '(?!b)', '(a)\\1', '(?<=a)b', '(?<!a)'];

/** Schemas with combined keywords that an unchecked pattern could make wrong. */
function schemas(patterns: readonly string[]) {
  const pattern = fc.constantFrom(...patterns);
  const key = fc.constantFrom('a', 'b', 'ab', 'c1');
  return fc.letrec<{ schema: object }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom({}, { type: 'string' }, { type: 'object' }, { type: ['null', 'array'] }),
      fc.constantFrom<object>(
        { maxLength: 2 },
        { minimum: 3 },
        { enum: ['a', 1, null] },
        { uniqueItems: true },
      ),
      fc.constantFrom('date', 'email', 'ipv4').map((format) => ({ format })),
      pattern.map((one) => ({ pattern: one })),
      fc
        .dictionary(key, tie('schema'), { maxKeys: 2, noNullPrototype: true })
        .map((properties) => ({ properties })),
      fc.tuple(pattern, tie('schema'), fc.boolean()).map(([one, inner, closed]) => ({
        patternProperties: { [one]: inner },
        ...(closed && { additionalProperties: false }),
      })),
      fc.tuple(pattern, tie('schema')).map(([one, inner]) => ({
        allOf: [{ patternProperties: { [one]: inner } }],
        unevaluatedProperties: false,
      })),
      fc.tuple(tie('schema'), tie('schema')).map((allOf) => ({ allOf })),
      fc.tuple(tie('schema'), tie('schema')).map((anyOf) => ({ anyOf })),
      fc.tuple(tie('schema'), tie('schema')).map((oneOf) => ({ oneOf })),
      tie('schema').map((not) => ({ not })),
      fc.tuple(tie('schema'), tie('schema'), tie('schema')).map(([first, second, third]) =>
        Object.fromEntries([
          ['if', first],
          ['then', second],
          ['else', third],
        ]),
      ),
      tie('schema').map((contains) => ({ contains, maxContains: 1 })),
      tie('schema').map((items) => ({ items })),
      tie('schema').map((propertyNames) => ({ propertyNames })),
      fc.constantFrom('#/$defs/one', '#/$defs/two').map(($ref) => ({ $ref })),
    ),
  })).schema;
}

const text = fc.constantFrom(
  '',
  'a',
  'b',
  'ab',
  'abc',
  'aB',
  'A',
  '1',
  'c1',
  'é',
  '2024-02-30',
  '2024-02-28',
  'a@b.de',
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    text,
    fc.constantFrom(null, true, 0, 1, 4),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(text, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

function validator(schema: object): (value: unknown) => boolean {
  const options = {
    strict: false,
    logger: false,
    ownProperties: true,
    meta: false,
    validateSchema: false,
  } as const;
  const ajv = new Ajv2020(options);
  formats.default(ajv);
  return ajv.compile(schema);
}

const whole = (patterns: readonly string[]) =>
  fc
    .tuple(schemas(patterns), schemas(LINEAR.slice(0, 3)), schemas(patterns))
    // Definitions have no references, so that none is recursive.
    .filter(([, one, two]) => !JSON.stringify([one, two]).includes('$ref'))
    .map(([schema, one, two]) => ({ ...schema, $defs: { one, two } }));

it('a schema within limits has the same result as Ajv on V8', () => {
  fc.assert(
    fc.property(whole(LINEAR), fc.array(value, { minLength: 1, maxLength: 4 }), (schema, values) => {
      const fits = validator(schema);
      for (const one of values) {
        const result = checkedText(schema, JSON.stringify(one));
        expect(result?.kind).toBe('checked');
        expect(result?.kind === 'checked' && result.problems.length === 0).toBe(fits(one));
      }
    }),
    { numRuns: 200 },
  );
});

it('a schema with uncheckable patterns never reports an uncertain problem', () => {
  fc.assert(
    fc.property(
      whole([...OTHERS, ...LINEAR.slice(0, 2)]),
      fc.array(value, { minLength: 1, maxLength: 4 }),
      (schema, values) => {
        const fits = validator(schema);
        for (const one of values) {
          const result = checkedText(schema, JSON.stringify(one));
          if (result?.kind !== 'checked') continue;
          expect(result.problems.length === 0).toBe(fits(one));
        }
      },
    ),
    { numRuns: 300 },
  );
});
