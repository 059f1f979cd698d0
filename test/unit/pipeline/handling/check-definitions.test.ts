import { afterAll, describe, expect, it } from 'vitest';
import { IsolatedSchemaChecker } from '../../../../src/adapters/json-schema/schema-checker.ts';
import { checkDefinitions } from '../../../../src/pipeline/handling/check-definitions.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';
import { chatRequest, Handling, outcomeOf } from '../../../support/fakes/handling.ts';

const schemas = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
afterAll(() => schemas.close());
const { signal } = new AbortController();
const fine = { name: 'fine', parametersJson: '{"type":"object"}' };
const wrong = { name: 'wrong', parametersJson: '{"type":"thing"}' };

describe('the definitions of a request', () => {
  it('are all checked at once, each problem with its path and reason', async () => {
    const request = chatRequest({
      tools: [fine, wrong, { name: 'broken', parametersJson: '{' }],
      responseFormat: { type: 'json_schema', name: 'answer', schemaJson: '[]' },
    });
    const problems = await checkDefinitions(request, schemas, [], signal);
    expect(problems.map(({ path, code }) => [path, code])).toEqual([
      ['tools[1].parametersJson', 'invalid_schema'],
      ['tools[2].parametersJson', 'invalid_schema'],
      ['responseFormat.schemaJson', 'invalid_schema'],
    ]);
    expect(problems[0]?.message).toMatch(
      /^cannot be used as a JSON Schema: type must be one of .*; correct it/,
    );
    expect(problems[1]?.message).toContain('not valid JSON');
    expect(problems[2]?.message).toContain('not a JSON object');
  });

  it('are not checked when another problem of theirs is already reported', async () => {
    const known = { path: 'tools[1].parametersJson', code: 'invalid_value', message: 'is nested too deeply' };
    const request = chatRequest({ tools: [fine, wrong] });
    expect(await checkDefinitions(request, schemas, [known], signal)).toEqual([]);
  });

  it('may have no schema: functions without parameters, custom tools, text and plain JSON', async () => {
    const tools = [{ name: 'now' }, { type: 'custom', name: 'free', parametersJson: 'none of ours' }];
    for (const type of ['text', 'json_object', 'json_schema']) {
      const request = chatRequest({ tools, responseFormat: { type } });
      expect(await checkDefinitions(request, schemas, [], signal)).toEqual([]);
    }
  });

  it.each([
    ['a pattern that cannot be checked', { pattern: '(?<=a)b' }],
    ['an invalid pattern', { pattern: '(' }],
    ['a pattern in Python’s syntax', { pattern: '(?i)x' }],
    ['members by a pattern in Python’s syntax', { patternProperties: { '(?P<name>x)': {} } }],
    ['bounds of draft-04', { properties: { a: { minimum: 0, exclusiveMinimum: true } } }],
    ['an external reference', { $ref: 'https://example.com/schema.json' }],
    ['a reference to itself', { $ref: '#' }],
    ['more text than is compiled', { description: 'x'.repeat(70_000) }],
  ])('are sent when this service cannot check them: %s', async (_what, schema) => {
    const parametersJson = JSON.stringify(schema);
    const request = chatRequest({ tools: [{ name: 'odd', parametersJson }] });
    expect(await checkDefinitions(request, schemas, [], signal)).toEqual([]);
    const results = await schemas.check(
      [{ text: '{}', root: 'arguments', schemaJson: parametersJson, isObject: true }],
      { ...request, signal },
    );
    expect(results).toMatchObject([{ kind: 'not_checked', reason: expect.stringMatching(/pattern|schema/) }]);
  });

  it('that are invalid end the request before any claim or call', async () => {
    const handling = new Handling();
    const { records } = await handling.handle(handling.record({ tools: [fine, wrong] }));
    const { response, cost } = outcomeOf(records);
    expect(response).toMatchObject({
      status: 'FAILED',
      error: { code: 'invalid_request', param: 'tools[1].parametersJson', retryable: false },
    });
    expect(cost).toBeUndefined();
    expect(handling.ledger.writes).toEqual([]);
    expect(handling.provider.calls).toEqual([]);
  });
});
