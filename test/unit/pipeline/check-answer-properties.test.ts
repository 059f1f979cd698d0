import { metrics as openTelemetryMetrics } from '@opentelemetry/api';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { IsolatedSchemaChecker } from '../../../src/adapters/json-schema/schema-checker.ts';
import type { ToolCall } from '../../../src/contract/record-types.ts';
import { CompletionFold } from '../../../src/domain/completion/fold-completion.ts';
import { checkAnswer } from '../../../src/pipeline/handling/check-answer.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { delta } from '../../support/fakes/fake-provider.ts';
import { chatRequest } from '../../support/fakes/handling.ts';

/** A schema with a value that fits it. */
interface Pair {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly value: unknown;
}

const names = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((name) => name !== '__proto__');

const { pair, objectPair } = fc.letrec<{ pair: Pair; objectPair: Pair; listPair: Pair }>((tie) => ({
  pair: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.string().map((value) => ({ schema: { type: 'string', maxLength: 40 }, value })),
    fc.integer().map((value) => ({ schema: { type: 'integer', minimum: value }, value })),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => ({ schema: { type: 'number' }, value })),
    fc.boolean().map((value) => ({ schema: { anyOf: [{ type: 'null' }, { type: 'boolean' }] }, value })),
    fc.constant({ schema: { type: ['null', 'string'] }, value: null }),
    fc
      .uniqueArray(fc.string(), { minLength: 1 })
      .map((values) => ({ schema: { enum: values }, value: values[0] })),
    tie('objectPair'),
    tie('listPair'),
  ),
  objectPair: fc.dictionary(names, tie('pair'), { maxKeys: 4, noNullPrototype: true }).map((members) => {
    const entries = Object.entries(members);
    const properties = Object.fromEntries(entries.map(([name, { schema }]) => [name, schema]));
    const value = Object.fromEntries(entries.map(([name, member]) => [name, member.value]));
    return {
      schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
      value,
    };
  }),
  listPair: fc.tuple(tie('pair'), fc.integer({ min: 0, max: 3 })).map(([{ schema, value }, length]) => ({
    schema: { type: 'array', items: schema },
    value: Array.from({ length }, () => value),
  })),
}));

const schemas = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
afterAll(() => schemas.close());
const metrics = createMetrics(openTelemetryMetrics.getMeter('test'));

/** Folds a call whose arguments come in pieces, and checks it. */
async function callOf({ schema }: Pair, pieces: readonly string[], finishReason: string): Promise<ToolCall> {
  const fold = new CompletionFold();
  pieces.forEach((piece, index) => {
    const head =
      index === 0 ? { id: 'call_1', type: 'function', name: 'tool' } : { id: null, type: null, name: null };
    fold.add(delta({ toolCalls: [{ index: 0, ...head, arguments: piece, extraJson: null }] }));
  });
  fold.add(delta({ finishReason }));
  const request = chatRequest({ tools: [{ name: 'tool', parametersJson: JSON.stringify(schema) }] });
  const [choice] = await checkAnswer(
    request,
    fold.result(),
    { schemas, metrics },
    new AbortController().signal,
  );
  return choice?.toolCalls[0] as ToolCall;
}

it('a call that is generated from its schema is valid, wherever it is split', async () => {
  await fc.assert(
    fc.asyncProperty(objectPair, fc.nat(), async (tool, at) => {
      const text = JSON.stringify(tool.value);
      const cut = at % text.length;
      const call = await callOf(tool, [text.slice(0, cut), text.slice(cut)], 'tool_calls');
      expect(call).toMatchObject({ valid: true, problems: [], arguments: text });
    }),
    { numRuns: 150 },
  );
});

it('a call that is cut anywhere is unparsable or truncated', async () => {
  await fc.assert(
    fc.asyncProperty(objectPair, fc.nat(), fc.boolean(), async (tool, at, atLimit) => {
      const text = JSON.stringify(tool.value);
      const cut = text.slice(0, at % text.length);
      const call = await callOf(tool, [cut], atLimit ? 'length' : 'tool_calls');
      const { required = [] } = tool.schema as { required?: string[] };
      if (cut === '' && !atLimit && required.length === 0) {
        expect(call).toMatchObject({ valid: true, problems: [] });
        return;
      }
      const code = atLimit ? 'truncated' : 'unparsable_json';
      expect(call).toMatchObject({ valid: false, problems: [{ path: 'arguments', code }] });
    }),
    { numRuns: 150 },
  );
});

it('a call without one of its members reports exactly that member as missing', async () => {
  await fc.assert(
    fc.asyncProperty(objectPair, fc.nat(), async (tool, at) => {
      const present = Object.keys(tool.value as object);
      const missing = present[at % Math.max(1, present.length)];
      fc.pre(missing !== undefined);
      const rest = Object.fromEntries(
        Object.entries(tool.value as object).filter(([name]) => name !== missing),
      );
      const call = await callOf(tool, [JSON.stringify(rest)], 'tool_calls');
      expect(call.problems.map(({ code }) => code)).toEqual(['missing_required']);
    }),
    { numRuns: 150 },
  );
});

it('the check ends with a verdict for any arguments', async () => {
  await fc.assert(
    fc.asyncProperty(pair, fc.jsonValue(), async (tool, value) => {
      const call = await callOf(tool, [JSON.stringify(value)], 'tool_calls');
      expect(call.valid).toBe(call.problems.length === 0);
      for (const problem of call.problems) expect(problem.path).toMatch(/^arguments/);
    }),
    { numRuns: 150 },
  );
});
